"""FHIR R4 (4.0.1): definitions, validation and the readable view of documents.

Knows FHIR and nothing of health services; imports no other room. The face:

- `check(data)`: every problem of the bytes of a resource, each with its place and remedy.
- `check_all(resources)`: the same of many resources at once, each with the type that it has to be.
- `compile_path(expression, type_)`: FHIRPath over plain data; `PathError`, `PathFailed` when it cannot be used.
- `decode(data)`, `encode(resource)`: JSON with decimals that keep their digits.
- `outcome(issues)`: an OperationOutcome.
- `view(bundle)`: a document as a typed model for a page.
"""

from esante.core.fhir.definitions import DefinitionsMissing
from esante.core.fhir.fhirpath import CompiledPath, PathError, PathFailed, compile_path
from esante.core.fhir.json_codec import NotJson, decode, encode
from esante.core.fhir.model import Checked, Issue
from esante.core.fhir.rest.outcome import outcome
from esante.core.fhir.validation.validator import accept, check, check_all
from esante.core.fhir.view import DocumentView, view

__all__ = [
    "Checked",
    "CompiledPath",
    "DefinitionsMissing",
    "DocumentView",
    "Issue",
    "NotJson",
    "PathError",
    "PathFailed",
    "accept",
    "check",
    "check_all",
    "compile_path",
    "decode",
    "encode",
    "outcome",
    "view",
]
