"""The errors that a profile adds to the check of a resource."""

from esante.core.fhir import check, encode


def profile_errors(resource, profile):
    """Code and expression of every error."""
    found = check(encode(resource), profile=[profile]).issues
    return [(issue.code, issue.expression) for issue in found if issue.severity == "error"]
