"""Checks of single elements that only `$validate` makes, since documents are deposited in spite of them.

- `check_elements(resource, seconds)`: extensions, addresses, references, codes, narratives, ids, Bundles, definitions.
"""

from esante.core.fhir.validation.elements.element_checks import check_elements

__all__ = ["check_elements"]
