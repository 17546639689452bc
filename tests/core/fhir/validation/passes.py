"""The findings of the passes of a validation, by severity and code, or by element."""

from esante.core.fhir import check
from esante.core.fhir.json_codec import decode_marking_repeats, encode_compact
from esante.core.fhir.validation.rules import check_rules
from esante.core.fhir.validation.structure_validator import check_structure
from esante.core.types import Json
from tests.core.fhir.samples import dumped


def slow_findings(data: bytes) -> list[tuple[str, str]]:
    """Severity and code of everything that the slow passes find, run one by one."""
    resource = decode_marking_repeats(data)
    found = list(check_structure(resource))
    if not any(finding.code in ("structure", "too-costly") for finding in found):
        found += check_rules(resource, encode_compact(resource) or b"")
    return [(finding.severity, finding.code) for finding in found]


def reported_issues(data: bytes) -> list[tuple[str, str]]:
    """Severity and code of the issues that `check` reports."""
    return [(issue.severity, issue.code) for issue in check(data).issues]


def full_issues(resource: Json, severity: str = "error") -> list[str]:
    """The elements of the issues of one severity in a check of everything, as `$validate` makes it.

    Without the advice to have a narrative (dom-6), which few samples follow.
    """
    issues = check(dumped(resource), invariants=True).issues
    return [issue.expression for issue in issues if issue.severity == severity and "(dom-6)" not in issue.diagnostics]
