"""The narrative of FHIR documents, written out of the resources that it is about.

- `render_section(title, resources, library, language)`: the XHTML of one section.
- `describe_resource(resource, library, language)`: the same of one resource, as pairs of heading and text.
- `render_composition(bundle)`: a document Bundle whose narratives are all written anew from its entries.
- `XHTML_DIV`: how each of them begins.

The texts are deterministic: the same resources in the same order and language give the same characters. Whatever the
resources say is escaped, and nothing of their own narratives is copied.
"""

from esante.core.fhir.narrative.composition import render_composition
from esante.core.fhir.narrative.section import XHTML_DIV, describe_resource, render_section

__all__ = ["XHTML_DIV", "describe_resource", "render_composition", "render_section"]
