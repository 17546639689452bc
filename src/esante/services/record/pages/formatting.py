"""Formatting of the codes, dates and reference ranges of a FHIR document for readers."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from babel.dates import format_date
from markupsafe import Markup

from esante.core.fhir import DocumentView
from esante.core.fhir.view import Detail, Observation, ResourceTable, Section, TableRow
from esante.core.web import N_, show_date, show_datetime
from esante.services.record.pages import element_labels
from esante.services.record.pages.element_labels import NamedDetail


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
    "AA": Flag(N_("critical"), "!!", "danger"),
    "POS": Flag(N_("positive"), "+", "warn"),
    "NEG": Flag(N_("negative"), "−", "good"),
    "DET": Flag(N_("detected"), "+", "warn"),
    "ND": Flag(N_("not detected"), "−", "good"),
    "R": Flag(N_("resistant"), "R", "warn"),
    "S": Flag(N_("susceptible"), "S", "good"),
    "I": Flag(N_("intermediate"), "I", "warn"),
    "U": Flag(N_("significant increase"), "↗", "warn"),
    "D": Flag(N_("significant decrease"), "↘", "warn"),
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
    "registered": N_("pending"),
    "amended": N_("amended"),
    "corrected": N_("corrected"),
    "cancelled": N_("cancelled"),
    "draft": N_("draft"),
    "planned": N_("planned"),
    "intended": N_("intended"),
    "entered-in-error": N_("entered in error"),
    "unconfirmed": N_("not confirmed"),
    "provisional": N_("provisional"),
    "differential": N_("differential diagnosis"),
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


class Images(Protocol):
    """Where the images of a document are."""

    @property
    def linked(self) -> bool:
        """Whether each image is a link to itself."""

    def source(self, name: str) -> str:
        """Return the address of an image by its name."""


_MARKER = re.compile(r'<span data-cda="([a-z]+-[a-z0-9]+)"></span>')
_HEARD_ONLY = frozenset({"deleted", "inserted", "end"})
"""Notes that are seen by their style: struck out, underlined."""
_PLAIN_NUMBER = re.compile(r"([<>]=?|~|)\s*([-+]?\d+)(?:\.(\d+))?")
_DECIMAL_POINT = frozenset({"en"})
_CAPITAL_LITRE = frozenset({"en"})
"""Languages that write the litre with a capital letter."""
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_POWER_OF_TEN = re.compile(r"(?<![\w.])(?:x ?)?10(?:\*|\^|E)(-?\d{1,2})")
_ANNOTATION = re.compile(r"\{([^{}]*)\}")
_MICRO = re.compile(r"(?<![A-Za-zµ])u(?=(?:g|L|l|mol|m|s|kat|U|IU|Eq)(?![A-Za-z]))")
_EXPONENT = re.compile(r"(?<![A-Za-z])([kcdmµ]?m|s)(-?[23])(?!\d)")
_LITRE = re.compile(r"(?<![A-Za-z])([kcdmµnpf]?)L(?![A-Za-z])")
_NO_UNIT = frozenset({"1", "{nominal}", "{score}", "{presence}", "{ratio}", "{SG}", "{INR}", "{#}", "[pH]", "pH"})
_WHOLE_UNITS = {"Cel": "°C", "[degF]": "°F", "[lb_av]": "lb", "[in_i]": "in", "[ft_i]": "ft", "'": "min"}
_UNIT_SIGNS = {
    "m[H2O]": "mH₂O",
    "[Hg]": "Hg",
    "[IU]": "IU",
    "[iU]": "IU",
    "[arb'U]": "U",
    "[HPF]": "HPF",
    "[LPF]": "LPF",
    "[drp]": "gtt",
    "[pH]": "pH",
    "[CFU]": "CFU",
}
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


def range_text(low: str, high: str, language: str = "en") -> str:
    """Return a reference range as a short text in the format of a language; a unit of both limits appears once."""
    least, most = format_amount(low, language), format_amount(high, language)
    if low and high:
        unit = _unit(high)
        if unit and _unit(low) == unit:
            least = format_amount(low.removesuffix(unit).strip(), language)
        return f"{least} – {most}"
    return f"≥ {least}" if low else f"≤ {most}" if high else ""


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


def fill_markers(body: Markup, images: Images, notes: Mapping[str, str], picture: str) -> Markup:
    """Return a narrative with its markers (`worker/cda.py`) filled in.

    `images` has the pictures, `notes` the texts by key, `picture` is the alternative text of a picture.
    """

    def fill(marker: re.Match[str]) -> str:
        kind, _, key = marker[1].partition("-")
        if kind == "media":
            image = Markup('<img src="{}" alt="{}">').format(images.source(f"media/{key}"), picture)
            link = Markup('<a class="enlarge" lang="{}" href="{}" hx-boost="false">{}</a>')
            return link.format(notes["lang"], images.source(f"media/{key}"), image) if images.linked else image
        style = "visually-hidden" if key in _HEARD_ONLY else "soft small"
        return Markup('<span class="{}" lang="{}"> {} </span>').format(style, notes["lang"], notes.get(key, ""))

    return Markup(_MARKER.sub(fill, body))  # noqa: S704 - a sanitised body, and texts that are escaped


def type_label(name: str) -> str:
    """Return the words (msgid) for an R4 resource type."""
    return element_labels.RESOURCE_TYPES.get(name, element_labels.OTHER_TYPE)


def absence_text(reason: str) -> str:
    """Return the words (msgid) for why a value or the entries of a section are missing; a text as it is."""
    return element_labels.ABSENCES.get(reason, reason)


def severity_text(code: str) -> str:
    """Return the words (msgid) for the severity of a reaction; empty for an unknown code."""
    return element_labels.SEVERITIES.get(code, "")


def named_details(details: Iterable[Detail]) -> list[NamedDetail]:
    """Return the further elements of an entry for which pages have words."""
    return element_labels.name_details(details, STATUSES)


def unnamed_count(view: DocumentView) -> int:
    """Return how many further elements of all entries pages have no words for."""
    tables = [*view.further, *(table for section in view.sections for table in _tables(section))]
    rows = (row for table in tables for row in _with_members(table.rows))
    return sum(element_labels.count_unnamed(row.details, STATUSES) for row in rows)


def _tables(section: Section) -> list[ResourceTable]:
    return [*section.tables, *(table for inner in section.sections for table in _tables(inner))]


def _with_members(rows: Iterable[TableRow]) -> Iterable[TableRow]:
    for row in rows:
        yield row
        if isinstance(row, Observation):
            yield from _with_members(row.members)


def format_number(text: str, language: str) -> str:
    """Return a number with the decimal sign of a language, a comparator set apart; another text as it is."""
    found = _PLAIN_NUMBER.fullmatch(text.strip())
    if found is None:
        return text
    sign, whole, decimals = found.groups()
    comparator = {"<=": "≤", ">=": "≥"}.get(sign, sign)
    point = "." if language in _DECIMAL_POINT else ","
    number = f"{whole.replace('-', '−')}{point}{decimals}" if decimals else whole.replace("-", "−")
    return f"{comparator} {number}" if comparator else number


def format_unit(unit: str, language: str) -> str:
    """Return a unit as people write it: codes of UCUM (ucum.org, 2.1) become signs, other texts stay."""
    shown = unit.strip()
    if shown in _NO_UNIT:
        return ""
    if shown in _WHOLE_UNITS:
        return _WHOLE_UNITS[shown]
    shown = _POWER_OF_TEN.sub(lambda found: "10" + found[1].translate(_SUPERSCRIPT), shown)
    shown = _ANNOTATION.sub(lambda found: found[1].replace("_", "\u00a0"), shown)
    for code, sign in _UNIT_SIGNS.items():
        shown = shown.replace(code, sign)
    shown = _MICRO.sub("µ", shown)
    shown = _EXPONENT.sub(lambda found: found[1] + found[2].translate(_SUPERSCRIPT), shown)
    if language not in _CAPITAL_LITRE:
        shown = _LITRE.sub(lambda found: found[1] + "l", shown)
        shown = shown.replace("1.73", "1,73")
    return shown


def format_amount(text: str, language: str) -> str:
    """Return a number with its unit in the format of a language; a text without a number in front as it is."""
    number, _, unit = text.strip().partition(" ")
    if _PLAIN_NUMBER.fullmatch(number) is None:
        return text
    return f"{format_number(number, language)} {format_unit(unit, language)}".rstrip()


def _number(text: str) -> float | None:
    found = _NUMBER.match(text.strip())
    return float(found[1].replace(",", ".")) if found else None


def _unit(text: str) -> str:
    return _NUMBER.sub("", text.strip(), count=1).strip()


def _clamp(percent: float) -> float:
    return round(min(98.0, max(2.0, percent)), 1)
