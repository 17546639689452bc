"""What the data-quality page says: the findings of the anomaly watch in words."""

from collections.abc import Mapping

from esante.core.web import N_
from esante.services.bulletin.model import Finding
from esante.services.bulletin.publication.formatting import Words

_TOLD: Mapping[str, str] = {
    "empty": N_("There are no events in the month at all."),
    "late": N_("%(found)s events arrived after the figures had been made."),
    "missing_day": N_("%(subject)s: no events on a day when about %(expected)s were to be expected."),
    "doubled_feed": N_("%(subject)s: %(found)s events came twice."),
    "clock_ahead": N_("%(found)s events are dated after their arrival."),
    "lost_field": N_("%(subject)s: %(found)s of %(expected)s events have this field."),
    "silent": N_("%(subject)s: nothing, where about %(expected)s were to be expected."),
    "spike": N_("%(subject)s: %(found)s, where about %(expected)s were to be expected."),
    "drop": N_("%(subject)s: %(found)s, where about %(expected)s were to be expected."),
    "move": N_("%(subject)s: %(found)s, where about %(expected)s were to be expected."),
}
_OTHER = N_("%(code)s: %(subject)s (%(found)s)")


def finding_told(finding: Finding, w: Words) -> str:
    """A finding as a sentence, with the note of the operator who acknowledged it."""
    said = w.text(
        _TOLD.get(finding.code, _OTHER),
        code=finding.code,
        subject=finding.subject,
        found=whole(finding.found),
        expected=whole(finding.expected or 0),
    )
    return f"{said} {finding.note}".strip()


def whole(value: float) -> float:
    """A number without a part as an integer, so that it is not written with a point."""
    return int(value) if float(value).is_integer() else value
