"""The findings of the passes of a validation, by severity and code."""

from esante.core.fhir import check
from esante.core.fhir.json_codec import decode_marking_repeats, encode_compact
from esante.core.fhir.validation.rules import check_rules
from esante.core.fhir.validation.structure_validator import check_structure


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
