"""FHIR R4 (4.0.1): definitions, validation, FHIRPath, search, storage, REST and the view of documents.

The package knows FHIR and nothing of health services. Its functions for every caller:

- `check(data)`: all problems of the bytes of a resource, each with its location and remedy.
- `check_all(resources)`: the same for several resources at once, each with its expected type.
- `compile_path(expression, type_)`: FHIRPath over plain data; `PathError`, `PathFailed` when it cannot be used.
- `decode(data)`, `encode(resource)`: JSON with decimals that keep their digits.
- `operation_outcome(issues)`: an OperationOutcome.
- `parse_logical_id(logical_id)`: the keys in the id of a person's resource.
- `build_document_view(bundle)`: a document as a typed model for a page.
- `count_elements(data)`, `MAX_ELEMENTS`: the limit for JSON that is inspected.

Its sub-packages `definitions`, `fhirpath`, `narrative`, `profiles`, `rest`, `search`, `store`, `validation` and `view`
have public interfaces of their own.
"""

from esante.core.fhir.definitions import DefinitionsMissing
from esante.core.fhir.fhirpath import CompiledPath, PathError, PathFailed, compile_path
from esante.core.fhir.json_codec import NotJson, count_elements, decode, encode
from esante.core.fhir.logical_ids import parse_logical_id
from esante.core.fhir.model import MAX_ELEMENTS, CheckResult, Issue
from esante.core.fhir.outcome import operation_outcome
from esante.core.fhir.validation import check, check_all, passes_fast_check
from esante.core.fhir.view import DocumentView, build_document_view

__all__ = [
    "MAX_ELEMENTS",
    "CheckResult",
    "CompiledPath",
    "DefinitionsMissing",
    "DocumentView",
    "Issue",
    "NotJson",
    "PathError",
    "PathFailed",
    "build_document_view",
    "check",
    "check_all",
    "compile_path",
    "count_elements",
    "decode",
    "encode",
    "operation_outcome",
    "parse_logical_id",
    "passes_fast_check",
]
