"""OperationOutcome resources made of issues.

Source: FHIR R4 4.0.1, OperationOutcome; the extensions operationoutcome-issue-line and operationoutcome-issue-col.
"""

from collections.abc import Iterable

from esante.core.fhir.model import Issue
from esante.core.types import Json

_LINE = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-line"
_COLUMN = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-col"


def operation_outcome(issues: Iterable[Issue]) -> Json:
    """Return an OperationOutcome with one entry per issue, line and column in HL7's extensions for them.

    Without issues it has an entry that says so, since R4 demands at least one.
    """
    entries = [_entry(issue) for issue in issues]
    no_problem = {"severity": "information", "code": "informational", "diagnostics": "No problem was found."}
    return {"resourceType": "OperationOutcome", "issue": entries or [no_problem]}


def _entry(issue: Issue) -> Json:
    entry: Json = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.diagnostics}
    if issue.expression:
        entry["expression"] = [issue.expression]
    if issue.line is not None and issue.column is not None:
        entry["extension"] = [
            {"url": _LINE, "valueInteger": issue.line},
            {"url": _COLUMN, "valueInteger": issue.column},
        ]
    return entry
