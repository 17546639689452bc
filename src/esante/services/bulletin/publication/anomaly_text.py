"""Anomalies in the data of a month as sentences."""

from collections.abc import Mapping

from esante.core.web import N_
from esante.services.bulletin.model import DataAnomaly
from esante.services.bulletin.publication.formatter import Formatter

_SENTENCES: Mapping[str, str] = {
    "empty": N_("There are no events for this month."),
    "late": N_("%(found)s events arrived after the figures were calculated."),
    "missing_day": N_("%(subject)s: no events on a day when about %(expected)s were expected."),
    "doubled_feed": N_("%(subject)s: %(found)s events were received twice."),
    "clock_ahead": N_("%(found)s events have a date later than the day they arrived."),
    "lost_field": N_("%(subject)s: this field is filled in for %(found)s of %(expected)s events."),
    "silent": N_("%(subject)s: none, when about %(expected)s were expected."),
    "spike": N_("%(subject)s: %(found)s, when about %(expected)s were expected."),
    "drop": N_("%(subject)s: %(found)s, when about %(expected)s were expected."),
    "move": N_("%(subject)s: %(found)s, when about %(expected)s were expected."),
}
_OTHER_SENTENCE = N_("%(code)s: %(subject)s (%(found)s)")


def anomaly_sentence(anomaly: DataAnomaly, fmt: Formatter) -> str:
    """Return an anomaly as a sentence, with the note of the operator who acknowledged it."""
    sentence = fmt.text(
        _SENTENCES.get(anomaly.code, _OTHER_SENTENCE),
        code=anomaly.code,
        subject=anomaly.subject,
        found=without_fraction(anomaly.found),
        expected=without_fraction(anomaly.expected or 0),
    )
    return f"{sentence} {anomaly.note}".strip()


def without_fraction(value: float) -> float:
    """Return an integral number as an integer, so that it is shown without a decimal point."""
    return int(value) if float(value).is_integer() else value
