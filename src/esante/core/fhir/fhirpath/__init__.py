"""FHIRPath (N1, normative 2.0, with the functions of FHIR R4) compiled to Python.

- `compile_path(expression, type_)`: an expression over resources of a type, checked against R4's definitions.
- `Path`: `evaluate`, `test` and `typed` run it over plain data.
- `PathError`, `PathFailed`: an expression that cannot be used; one that fails on a resource.
"""

from esante.core.fhir.fhirpath.expression import Path, compile_path
from esante.core.fhir.fhirpath.model import PathError, PathFailed
from esante.core.fhir.fhirpath.values.quantity import Quantity
from esante.core.fhir.fhirpath.values.temporal import Temporal

__all__ = ["Path", "PathError", "PathFailed", "Quantity", "Temporal", "compile_path"]
