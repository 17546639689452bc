"""Violations of R4 in published European documents that are accepted with a warning.

The rule of R4 remains; rejecting the document would withhold a patient's own record from them for a defect of the
software that wrote it. Every entry names its source, so that it can be removed when that software is corrected.
"""

from typing import NamedTuple


class Deviation(NamedTuple):
    """A code that R4 does not have at an element of a resource, R4's own code for it, and where it was observed."""

    resource: str
    element: str
    code: str
    instead: str
    observed: str
    verified: str


TOLERATED_CODES = (
    Deviation(
        resource="Encounter",
        element="status",
        code="completed",
        instead="finished",
        observed="FHIR R5's code, in published European hospital discharge reports",
        verified="2026-11-23",
    ),
)


def tolerated_codes(element: str) -> tuple[str, ...]:
    """Return the codes accepted at an element such as `Encounter.status` beside those of its required value set."""
    return tuple(d.code for d in TOLERATED_CODES if f"{d.resource}.{d.element}" == element)
