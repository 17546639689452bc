"""How the codes, dates and ranges of a FHIR document are put before a reader."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from babel.dates import format_date

from esante.core.web import N_, show_date, show_datetime


@dataclass(frozen=True, slots=True)
class Flag:
    """An interpretation of a result: its words (msgid), a sign for those who cannot tell colours, its tone."""

    text: str
    sign: str
    tone: str


FLAGS: Mapping[str, Flag] = {
    "N": Flag(N_("normal"), "✓", "good"),
    "H": Flag(N_("high"), "↑", "warn"),
    "HU": Flag(N_("very high"), "⇈", "danger"),
    "HH": Flag(N_("critically high"), "⇈", "danger"),
    "L": Flag(N_("low"), "↓", "warn"),
    "LU": Flag(N_("very low"), "⇊", "danger"),
    "LL": Flag(N_("critically low"), "⇊", "danger"),
    "A": Flag(N_("abnormal"), "!", "warn"),
    "AA": Flag(N_("critically abnormal"), "!!", "danger"),
    "POS": Flag(N_("positive"), "+", "warn"),
    "NEG": Flag(N_("negative"), "−", "good"),
    "DET": Flag(N_("detected"), "+", "warn"),
    "ND": Flag(N_("not detected"), "−", "good"),
    "R": Flag(N_("resistant"), "R", "warn"),
    "S": Flag(N_("susceptible"), "S", "good"),
    "I": Flag(N_("intermediate"), "I", "warn"),
    "U": Flag(N_("significant change up"), "↗", "warn"),
    "D": Flag(N_("significant change down"), "↘", "warn"),
    "B": Flag(N_("better"), "↗", "good"),
    "W": Flag(N_("worse"), "↘", "warn"),
}
"""The codes of HL7 v3 ObservationInterpretation that a page has words for."""

STATUSES: Mapping[str, str] = {
    "active": N_("active"),
    "inactive": N_("inactive"),
    "recurrence": N_("recurring"),
    "relapse": N_("relapse"),
    "remission": N_("in remission"),
    "resolved": N_("resolved"),
    "completed": N_("completed"),
    "stopped": N_("stopped"),
    "on-hold": N_("paused"),
    "not-taken": N_("not taken"),
    "not-done": N_("not done"),
    "in-progress": N_("in progress"),
    "preparation": N_("in preparation"),
    "preliminary": N_("preliminary"),
    "registered": N_("awaited"),
    "amended": N_("amended"),
    "corrected": N_("corrected"),
    "cancelled": N_("cancelled"),
    "draft": N_("draft"),
    "planned": N_("planned"),
    "intended": N_("intended"),
    "entered-in-error": N_("entered in error"),
    "unconfirmed": N_("not confirmed"),
    "provisional": N_("provisional"),
    "differential": N_("one of several possible"),
    "confirmed": N_("confirmed"),
    "refuted": N_("ruled out"),
    "high": N_("high risk"),
    "low": N_("low risk"),
    "unable-to-assess": N_("risk unknown"),
}
"""Words for the status codes of R4 that a reader may meet; `final` and the like say nothing and are left out."""


class Span(Hashable, Protocol):
    """A moment or span of the FHIR view (`DocumentView`): FHIR dates, or a text."""

    @property
    def start(self) -> str:
        """Its beginning."""

    @property
    def end(self) -> str:
        """Its end."""

    @property
    def text(self) -> str:
        """What stands in place of a date."""


class Result(Protocol):
    """An observation of the FHIR view."""

    @property
    def when(self) -> Span:
        """When it was found."""

    @property
    def members(self) -> Sequence["Result"]:
        """The results it consists of."""


_SILENT = {"final", "unknown", "current"}
_NUMBER = re.compile(r"(?:[<>≤≥~]\s*)?([-+]?\d+(?:[.,]\d+)?)")


@dataclass(frozen=True, slots=True)
class Bar:
    """Where a value lies: the usual range from `start` over `width`, and the value at `mark`, in percent."""

    start: float
    width: float
    mark: float


def flag(code: str) -> Flag | None:
    """The flag of an interpretation code, or None for one without words."""
    return FLAGS.get(code)


def status(code: str) -> str:
    """The words (a msgid of ours) for a status, or empty for one that says nothing to a reader."""
    return "" if code in _SILENT else STATUSES.get(code, "")


def bar(value: str, unit: str, low: str, high: str) -> Bar | None:
    """Where a numeric value lies against its reference range; None when there is nothing to draw.

    `low` and `high` carry their unit: with another one than the value's, nothing is drawn. The range takes
    the middle half of the bar; a value far outside stands at its end. With one limit only, the side without
    limit runs to the end of the bar.
    """
    number, least, most = _number(value), _number(low), _number(high)
    if any(limit and _unit(limit) not in ("", unit) for limit in (low, high)):
        return None
    if number is None or (least is None and most is None):
        return None
    if least is not None and most is not None:
        if most <= least:
            return None
        spread = (most - least) or 1.0
        return Bar(25.0, 50.0, _within(25 + 50 * (number - least) / spread))
    limit = least if least is not None else most
    assert limit is not None
    if limit <= 0:
        return None
    place = _within(50 * number / limit)
    return Bar(50.0, 50.0, place) if least is not None else Bar(0.0, 50.0, place)


def range_words(low: str, high: str) -> str:
    """A reference range in few signs; a unit that both limits have stands once."""
    if low and high:
        unit = _unit(high)
        return f"{low.removesuffix(unit).strip() if unit and _unit(low) == unit else low} – {high}"
    return f"≥ {low}" if low else f"≤ {high}" if high else ""


def day(text: str, language: str) -> str:
    """A FHIR date of any precision as people write it; what is no date stays as it is."""
    try:
        if len(text) > 10:
            return show_datetime(datetime.fromisoformat(text), language)
        if len(text) == 10:
            return show_date(date.fromisoformat(text), language)
        if len(text) == 7:
            return str(format_date(date.fromisoformat(f"{text}-01"), "MMMM y", locale=language))
    except ValueError:
        pass
    return text


def when(moment: Span, language: str) -> str:
    """A moment or span as people write it."""
    ends = [day(end, language) for end in (moment.start, moment.end) if end]
    return " – ".join(dict.fromkeys(ends)) or moment.text


def moments(results: Iterable[Result]) -> list[Span]:
    """The different times of results and their members; the table needs a column only for more than one."""
    found: dict[Span, None] = {}
    for result in results:
        if result.when.start or result.when.end or result.when.text:
            found[result.when] = None
        found |= dict.fromkeys(moments(result.members))
    return list(found)


def words_of(name: str) -> str:
    """An R4 element or type name as lower-case words: `bodySite` is "body site"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _number(text: str) -> float | None:
    found = _NUMBER.match(text.strip())
    return float(found[1].replace(",", ".")) if found else None


def _unit(text: str) -> str:
    return _NUMBER.sub("", text.strip(), count=1).strip()


def _within(place: float) -> float:
    return round(min(98.0, max(2.0, place)), 1)
