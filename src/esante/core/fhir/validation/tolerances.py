"""Where published European documents break R4 and are accepted all the same, with a warning.

The rule stands; refusing the document would keep a patient's own record from her for a defect of its maker. Every
line names what was seen, so that it can go when the makers have mended it.
"""

from typing import NamedTuple


class Deviation(NamedTuple):
    """A code that R4 does not have at an element of a resource, what R4 has for it, and where it was seen."""

    resource: str
    element: str
    code: str
    instead: str
    seen: str
    verified: str


CODES = (
    Deviation(
        resource="Encounter",
        element="status",
        code="completed",
        instead="finished",
        seen="FHIR R5's word, in published European hospital discharge reports",
        verified="2026-11-23",
    ),
)


def tolerated_codes(element: str) -> tuple[str, ...]:
    """The codes let in at an element such as `Encounter.status` beside those of its required value set."""
    return tuple(d.code for d in CODES if f"{d.resource}.{d.element}" == element)
