"""OperationOutcome, FHIR's way to say what went wrong."""

from collections.abc import Iterable
from typing import Any

from esante.core.fhir.model import Issue

_LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
_COLUMN = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"


def outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """An OperationOutcome with one entry per issue; line and column in HL7's extensions for them.

    Without issues it says that all is well, since R4 wants at least one entry.
    """
    listed = [_entry(issue) for issue in issues]
    fine = {"severity": "information", "code": "informational", "diagnostics": "No problem was found."}
    return {"resourceType": "OperationOutcome", "issue": listed or [fine]}


def _entry(issue: Issue) -> dict[str, Any]:
    entry: dict[str, Any] = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.diagnostics}
    if issue.expression:
        entry["expression"] = [issue.expression]
    if issue.line is not None and issue.column is not None:
        entry["extension"] = [
            {"url": _LINE, "valueInteger": issue.line},
            {"url": _COLUMN, "valueInteger": issue.column},
        ]
    return entry
