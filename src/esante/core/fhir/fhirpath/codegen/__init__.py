"""Python source code generated for the paths and conditions that searches and invariants evaluate most often."""

from esante.core.fhir.fhirpath.codegen.generated_path import GeneratedPath, generate_path
from esante.core.fhir.fhirpath.codegen.source import CodegenUnsupported, PythonCondition, SourceModule, TypedVariable
from esante.core.fhir.fhirpath.codegen.writer import PathWriter

__all__ = [
    "CodegenUnsupported",
    "GeneratedPath",
    "PathWriter",
    "PythonCondition",
    "SourceModule",
    "TypedVariable",
    "generate_path",
]
