"""Python source generated for the paths and conditions that searches and invariants run most."""

from esante.core.fhir.fhirpath.codegen.generated_path import Plain, plain
from esante.core.fhir.fhirpath.codegen.source import Condition, Module, NotPlain, Place
from esante.core.fhir.fhirpath.codegen.writer import Writer

__all__ = ["Condition", "Module", "NotPlain", "Place", "Plain", "Writer", "plain"]
