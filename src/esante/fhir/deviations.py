"""Where published European documents break R4 and are accepted all the same, with a warning.

The rule stands; refusing the document would keep a patient's own record from her for a defect of its maker.
Every line names what was seen, so that it can go when the makers have mended it.
"""

from typing import NamedTuple


class Deviation(NamedTuple):
    """A code that R4 does not have at `element`, and why it is let in."""

    element: str
    code: str
    reason: str
    verified: str


CODES = (
    Deviation(
        "Encounter.status",
        "completed",
        "FHIR R5's word for 'finished', found in published European hospital discharge reports.",
        "2026-11-23",
    ),
)

_REASONS = {(d.element, d.code): d.reason for d in CODES}


def tolerated_code(element: str, code: str) -> str | None:
    """Why a code outside the required value set is accepted with a warning, or None when it is not."""
    return _REASONS.get((element, code))
