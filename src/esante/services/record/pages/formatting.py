"""Formatting of the codes, dates and reference ranges of a FHIR document for readers."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from babel.dates import format_date
from markupsafe import Markup

from esante.core.web import N_, show_date, show_datetime


@dataclass(frozen=True, slots=True)
class Flag:
    """An interpretation of a result: its text (msgid), a sign for readers who cannot distinguish colours, its tone."""

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
"""The codes of HL7 v3 ObservationInterpretation that pages have a text for."""

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
"""The texts of status codes of R4; `final` and similar codes are not informative and left out."""


class Period(Hashable, Protocol):
    """A time or period of the FHIR view (`DocumentView`): FHIR dates, or a text."""

    @property
    def start(self) -> str:
        """The start, a FHIR date."""

    @property
    def end(self) -> str:
        """The end, a FHIR date."""

    @property
    def text(self) -> str:
        """The text in place of dates."""


class ObservationRow(Protocol):
    """An observation of the FHIR view."""

    @property
    def when(self) -> Period:
        """The time of the observation."""

    @property
    def members(self) -> Sequence["ObservationRow"]:
        """The observations that it consists of."""


_MARKER = re.compile(r'<span data-cda="([a-z]+-[a-z0-9]+)"></span>')
_HEARD_ONLY = frozenset({"deleted", "inserted", "end"})
"""Notes that are seen by their style: struck out, underlined."""
_NOT_INFORMATIVE = {"final", "unknown", "current"}
_NUMBER = re.compile(r"(?:[<>≤≥~]\s*)?([-+]?\d+(?:[.,]\d+)?)")


@dataclass(frozen=True, slots=True)
class RangeBar:
    """The position of a value: the usual range starts at `start` with `width`, the value is at `mark`, in percent."""

    start: float
    width: float
    mark: float


def find_flag(code: str) -> Flag | None:
    """Return the flag of an interpretation code, or None for one without a text."""
    return FLAGS.get(code)


def status_text(code: str) -> str:
    """Return the text (msgid) of a status; empty for one that is not informative."""
    return "" if code in _NOT_INFORMATIVE else STATUSES.get(code, "")


def range_bar(value: str, unit: str, low: str, high: str) -> RangeBar | None:
    """Return the position of a numeric value in its reference range; None when there is nothing to draw.

    `low` and `high` include their unit: with another one than the value's, nothing is drawn. The range takes
    the middle half of the bar; a value far outside is at its end. With one limit only, the side without
    limit extends to the end of the bar.
    """
    number, minimum, maximum = _number(value), _number(low), _number(high)
    if any(limit and _unit(limit) not in ("", unit) for limit in (low, high)):
        return None
    if number is None or (minimum is None and maximum is None):
        return None
    if minimum is not None and maximum is not None:
        if maximum <= minimum:
            return None
        spread = (maximum - minimum) or 1.0
        return RangeBar(25.0, 50.0, _clamp(25 + 50 * (number - minimum) / spread))
    limit = minimum if minimum is not None else maximum
    if limit is None or limit <= 0:
        return None
    mark = _clamp(50 * number / limit)
    return RangeBar(50.0, 50.0, mark) if minimum is not None else RangeBar(0.0, 50.0, mark)


def range_text(low: str, high: str) -> str:
    """Return a reference range as a short text; a unit of both limits appears once."""
    if low and high:
        unit = _unit(high)
        return f"{low.removesuffix(unit).strip() if unit and _unit(low) == unit else low} – {high}"
    return f"≥ {low}" if low else f"≤ {high}" if high else ""


def format_day(text: str, language: str) -> str:
    """Return a FHIR date of any precision in the format of a language; a text that is no date is returned as it is."""
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


def format_period(period: Period, language: str) -> str:
    """Return a time or period in the format of a language."""
    ends = [format_day(end, language) for end in (period.start, period.end) if end]
    return " – ".join(dict.fromkeys(ends)) or period.text


def distinct_periods(rows: Iterable[ObservationRow]) -> list[Period]:
    """Return the different times of observations and their members; tables need a column only for more than one."""
    found: dict[Period, None] = {}
    for row in rows:
        if row.when.start or row.when.end or row.when.text:
            found[row.when] = None
        found |= dict.fromkeys(distinct_periods(row.members))
    return list(found)


def fill_markers(body: Markup, url: str, notes: Mapping[str, str], picture: str) -> Markup:
    """Return a narrative with its markers (`worker/cda.py`) filled in.

    `url` is that of the document, `notes` has the texts by key, `picture` is the alternative text of a picture.
    """

    def fill(marker: re.Match[str]) -> str:
        kind, _, key = marker[1].partition("-")
        if kind == "media":
            link = Markup(
                '<a class="enlarge" href="{0}/media/{1}" hx-boost="false"><img src="{0}/media/{1}" alt="{2}"></a>'
            )
            return link.format(url, key, picture)
        style = "visually-hidden" if key in _HEARD_ONLY else "soft small"
        return Markup('<span class="{}" lang="{}"> {} </span>').format(style, notes["lang"], notes.get(key, ""))

    return Markup(_MARKER.sub(fill, body))  # noqa: S704 - a sanitised body, and texts that are escaped


def split_name(name: str) -> str:
    """Return an R4 element or type name as lower-case words: "body site" for `bodySite`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _number(text: str) -> float | None:
    found = _NUMBER.match(text.strip())
    return float(found[1].replace(",", ".")) if found else None


def _unit(text: str) -> str:
    return _NUMBER.sub("", text.strip(), count=1).strip()


def _clamp(percent: float) -> float:
    return round(min(98.0, max(2.0, percent)), 1)
