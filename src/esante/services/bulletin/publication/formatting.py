"""How the publication writes: numbers, months, units and the names of categories, in a language."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

from babel import dates, numbers

from esante.core.time_zone import time_zone
from esante.core.web import N_, show_date, show_datetime, translator
from esante.identity.directory import catalogue
from esante.services.bulletin.model import LATE_EVENTS, Cell, Indicator
from esante.services.bulletin.publication.declarations import declarations
from esante.services.record import CATEGORIES

_LOCALES = {"en": "en_GB"}
_SUFFIX = {"%": "\u00a0%", "ms": "\u00a0ms", "hours": "\u00a0h"}
_DECIMALS = {"%": "#,##0.0#", "points": "#,##0.0#"}
_WITHIN = N_("%(whole)s: %(part)s")

_NAMES: Mapping[str, str] = {
    **{key: category.label for key, category in CATEGORIES.items()},
    "": N_("Total"),
    **{key: term.label for key, term in catalogue().organization_kinds.items()},
    **{key: term.label for key, term in catalogue().professions.items()},
    # who acts, where no profession is told
    "practitioner": N_("Health professional"),
    "organization": N_("Organisation"),
    "patient": N_("Patient"),
    "operator": N_("Agency operator"),
    "system": N_("System"),
    "expired": N_("No longer known"),
    "other": N_("Other"),
    "unknown": N_("Unknown"),
    "several": N_("Several"),
    # grants
    "presence_code": N_("By a code in the practice"),
    "circle": N_("Circle of trust"),
    "institution_stay": N_("During a stay"),
    "emergency": N_("Emergency"),
    # why an access was refused, and what patients chose
    "no-grant": N_("No access given"),
    "profession": N_("Not for this profession"),
    "not-treating": N_("Not treating the person"),
    "other-person": N_("Record of another person"),
    "other-launch": N_("Opened for another patient"),
    "own-category": N_("Kind of document for professionals"),
    "not-provides": N_("Kind of document of other professions"),
    "not-opened": N_("Record not open yet"),
    "objected": N_("Record objected to"),
    "closed": N_("Record closed"),
    "dead": N_("Person has died"),
    "purpose": N_("Another purpose than treatment"),
    "write-emergency": N_("Emergency access is for reading"),
    "refused": N_("Refused"),
    "opted-out": N_("Sharing refused"),
    "not_sharing": N_("Sharing refused"),
    "sharing": N_("Sharing allowed again"),
    "normal": N_("Restriction lifted"),
    "restricted": N_("Document restricted"),
    "hidden": N_("Document hidden"),
    "blocked": N_("Professional or organisation blocked"),
    "unblocked": N_("Block lifted"),
    # times from event to deposit
    "0": N_("On the same day"),
    "1": N_("On the next day"),
    "2-7": N_("2 to 7 days"),
    "8-30": N_("8 to 30 days"),
    "31+": N_("31 days and more"),
    # formats
    "application/pdf": "PDF",
    "application/hl7-cda+xml": "CDA",
    "application/fhir+json": "FHIR",
    "text/plain": N_("Text"),
    "image/png": "PNG",
    "image/jpeg": "JPEG",
}

REASONS: Mapping[str, str] = {
    LATE_EVENTS: N_("Events arrived late"),
}
STATUSES: Mapping[str, str] = {
    "provisional": N_("Provisional"),
    "final": N_("Final"),
    "revised": N_("Revised"),
}
FLAGS: Mapping[str, str] = {
    "suppressed": N_("Not shown: it could identify somebody"),
    "perturbed": N_("Changed slightly, so that nobody can be identified"),
    "missing": N_("Not known"),
}
UNITS: Mapping[str, str] = {
    "records": N_("records"),
    "documents": N_("documents"),
    "readings": N_("readings"),
    "persons": N_("persons"),
    "organisations": N_("organisations"),
    "accesses": N_("accesses"),
    "choices": N_("choices"),
    "requests": N_("requests"),
    "enquiries": N_("enquiries"),
    "professionals": N_("professionals"),
    "%": N_("per cent"),
    "hours": N_("hours"),
    "days": N_("days"),
    "ms": N_("milliseconds"),
}


class Words:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.locale = _LOCALES.get(language, language)
        self.texts = translator(language)

    def text(self, msgid: str, **values: Any) -> str:
        """A text of the catalogs, with its values; numbers among them are written as people write them."""
        shown = {name: value if isinstance(value, str) else self.number(value) for name, value in values.items()}
        return self.texts.gettext(msgid) % shown

    def number(self, value: float, unit: str = "") -> str:
        """A number: `291 300`, `99,81 %`, `183 ms`; no space in it breaks."""
        pattern = _DECIMALS.get(unit) or ("#,##0.#" if isinstance(value, float) else "#,##0")
        text: str = numbers.format_decimal(value, format=pattern, locale=self.locale)
        after = "\u00a0" + self.texts.ngettext("day", "days", int(value)) if unit == "days" else _SUFFIX.get(unit, "")
        return text.replace("\u202f", "\u00a0") + after

    def value(self, cell: Cell | None, unit: str = "") -> str:
        """The value of a cell as a table shows it; a sign where there is none to show."""
        if cell is None or cell.value is None:
            return "…" if cell is None or cell.flag != "suppressed" else "*"
        return self.number(cell.value, unit)

    def percent(self, share: float, *, signed: bool = False) -> str:
        """A share of one, in percent with one decimal; with its sign if wanted."""
        pattern = "+#,##0.0;-#,##0.0" if signed and round(share, 3) else "#,##0.0"
        text: str = numbers.format_decimal(share * 100, format=pattern, locale=self.locale)
        return text.replace("\u202f", "\u00a0").replace("-", "−") + "\u00a0%"

    def month(self, period: str, form: str = "MMMM yyyy") -> str:
        """A month by its name: `octobre 2026`."""
        return month_name(period, form, self.locale)

    def date(self, value: datetime) -> str:
        """A day in Luxembourg."""
        return show_date(value.astimezone(time_zone()), self.language)

    def moment(self, value: datetime) -> str:
        """A day and time in Luxembourg."""
        return show_datetime(value, self.language)

    def breakdown(self, key: str) -> str:
        """The name of a breakdown; of the total for an empty one."""
        for declared in declarations().breakdown:
            if declared.id == key:
                return declared.titles[self.language]
        return self.name(key)

    def name(self, key: str) -> str:
        """The name of a category; its key, made readable, where it has none."""
        return self.texts.gettext(_NAMES[key]) if key in _NAMES else key.replace("_", " ")

    def within(self, whole: str, part: str) -> str:
        """A part under what it belongs to: `Documents deposited: Origin`."""
        return self.text(_WITHIN, whole=whole, part=part)

    def reason(self, reason: str) -> str:
        """Why something was corrected: what the build found by itself in this language, else as somebody wrote it."""
        return self.texts.gettext(REASONS[reason]) if reason in REASONS else reason

    def flag(self, flag: str) -> str:
        """What a flag means."""
        return self.texts.gettext(FLAGS[flag])

    def unit(self, indicator: Indicator) -> str:
        """The unit of an indicator."""
        return self.texts.gettext(UNITS.get(indicator.unit, indicator.unit))

    def title(self, indicator: Indicator) -> str:
        """The name of an indicator."""
        return indicator.titles.get(self.language) or indicator.titles["en"]

    def definition(self, indicator: Indicator) -> str:
        """What an indicator counts."""
        return indicator.definitions.get(self.language) or indicator.definitions["en"]


@lru_cache(4_096)
def month_name(period: str, form: str, locale: str) -> str:
    """A month in a pattern of CLDR."""
    return str(dates.format_date(date(int(period[:4]), int(period[5:]), 1), form, locale=locale))


@cache
def words(language: str) -> Words:
    """The words of a language."""
    return Words(language)
