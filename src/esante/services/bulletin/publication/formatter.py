"""Formatting in a language: numbers, months, units, and the names of categories, statuses and flags."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

from babel import Locale, dates, numbers

from esante.core.time_zone import time_zone
from esante.core.web import N_, show_date, show_datetime, translator
from esante.identity.directory import catalogue
from esante.services.bulletin.model import LATE_EVENTS, Cell, Indicator
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.record import CATEGORIES

_LOCALES = {"en": "en_GB"}
_UNIT_SUFFIXES = {"%": "\u00a0%", "ms": "\u00a0ms", "hours": "\u00a0h"}
_PATTERNS = {"%": "#,##0.0#", "points": "#,##0.0#"}
_DIGITS = {"%": 2, "days": 1}
"""Decimals of a computed value by its unit; things that are counted have none."""
_PART_OF = N_("%(whole)s: %(part)s")
_RANGE = N_("%(first)s to %(last)s")
UNKNOWN, WITHHELD = "…", "*"
"""The signs in place of a value that is not known, and of one that is suppressed."""

_NAMES: Mapping[str, str] = {
    **{key: category.label for key, category in CATEGORIES.items()},
    "": N_("Total"),
    **{key: term.label for key, term in catalogue().organization_kinds.items()},
    **{key: term.label for key, term in catalogue().professions.items()},
    # kinds of actors without a profession
    "practitioner": N_("Health professional"),
    "organization": N_("Organisation"),
    "patient": N_("Patient"),
    "operator": N_("Agency staff"),
    "system": N_("System"),
    "expired": N_("No longer known"),
    "other": N_("Other"),
    "unknown": N_("Unknown"),
    "several": N_("Several"),
    # grants
    "presence_code": N_("Presence code"),
    "circle": N_("Circle of care"),
    "institution_stay": N_("During a hospital stay"),
    "emergency": N_("Emergency access"),
    "country": N_("Care abroad"),
    # ways and rules of fee notes
    "ra": N_("Accelerated reimbursement"),
    "pid": N_("Immediate payment"),
    "rule-person": N_("Patient and insurance"),
    "rule-act": N_("Services"),
    "rule-cumulation": N_("Services beside each other"),
    "rule-surcharge": N_("Surcharges"),
    "rule-amount": N_("Amounts"),
    # reasons of refusals, and choices of patients
    "no-grant": N_("No access given"),
    "profession": N_("Not available to this profession"),
    "not-treating": N_("Does not treat the person"),
    "other-person": N_("Record of another person"),
    "other-launch": N_("Opened for another patient"),
    "own-category": N_("Document type for professionals only"),
    "not-provides": N_("Document type for other professions"),
    "not-opened": N_("Record not open yet"),
    "objected": N_("Patient objected to the record"),
    "closed": N_("Record closed"),
    "dead": N_("The person has died"),
    "deleted": N_("Record deleted"),
    "purpose": N_("Purpose other than treatment"),
    "write-emergency": N_("Emergency access is read-only"),
    "refused": N_("Refused"),
    "opted-out": N_("Sharing turned off"),
    "not_sharing": N_("Sharing turned off"),
    "sharing": N_("Sharing turned back on"),
    "normal": N_("Document restriction removed"),
    "restricted": N_("Document restricted"),
    "hidden": N_("Document hidden"),
    "blocked": N_("Professional or organisation blocked"),
    "unblocked": N_("Block removed"),
    # times from event to deposit
    "0": N_("The same day"),
    "1": N_("The next day"),
    "2-7": N_("2 to 7 days"),
    "8-30": N_("8 to 30 days"),
    "31+": N_("31 days or more"),
    # documents with a deadline
    "clinical_summary": N_("Clinical summary"),
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
    "suppressed": N_("Not shown because it could identify someone"),
    "perturbed": N_("Slightly changed so that nobody can be identified"),
    "missing": N_("Not available"),
}
UNITS: Mapping[str, str] = {
    "records": N_("records"),
    "documents": N_("documents"),
    "readings": N_("document views"),
    "persons": N_("people"),
    "organisations": N_("organisations"),
    "accesses": N_("accesses"),
    "choices": N_("choices"),
    "requests": N_("requests"),
    "enquiries": N_("enquiries"),
    "entries": N_("entries"),
    "professionals": N_("professionals"),
    "notes": N_("fee notes"),
    "examinations": N_("examinations"),
    "openings": N_("openings"),
    "discs": N_("discs"),
    "simulations": N_("simulations"),
    "seconds": N_("seconds"),
    "tests": N_("tests"),
    "labels": N_("labels"),
    "practices": N_("practices"),
    "alerts": N_("alerts"),
    "messages": N_("messages"),
    "advisories": N_("advisories"),
    "minutes": N_("minutes"),
    "sites": N_("sites"),
    "products": N_("software products"),
    "euros": N_("euros"),
    "%": N_("per cent"),
    "hours": N_("hours"),
    "days": N_("days"),
    "ms": N_("milliseconds"),
}


class Formatter:
    """Formats values and translates texts for one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.locale = _LOCALES.get(language, language)
        self.texts = translator(language)

    def text(self, msgid: str, **values: Any) -> str:
        """Return the translation of a msgid with its values; numbers among them are formatted."""
        shown = {name: value if isinstance(value, str) else self.number(value) for name, value in values.items()}
        return self.texts.gettext(msgid) % shown

    def number(self, value: float, unit: str = "") -> str:
        """Return a number with its unit: `291 300`, `99,81 %`, `183 ms`; spaces do not break."""
        pattern = _PATTERNS.get(unit) or ("#,##0.#" if isinstance(value, float) else "#,##0")
        text: str = numbers.format_decimal(value, format=pattern, locale=self.locale)
        after = (
            "\u00a0" + self.texts.ngettext("day", "days", self.plural_number(value))
            if unit == "days"
            else _UNIT_SUFFIXES.get(unit, "")
        )
        return text.replace("\u202f", "\u00a0") + after

    def plural_number(self, value: float) -> int:
        """Return 1 or 2 for a quantity that takes the singular or the plural: `1,5 jour`, but `1.5 days`."""
        return 1 if Locale.parse(self.locale).plural_form(value) == "one" else 2

    def rounded(self, value: float, unit: str = "") -> str:
        """Return a computed value, such as a mean or a forecast, with its unit; a number of things is whole."""
        digits = _DIGITS.get(unit, 0)
        scaled = math.floor(value * 10**digits + 0.5)
        return self.number(scaled / 10**digits if digits else scaled, unit)

    def value(self, cell: Cell | None, unit: str = "") -> str:
        """Return the value of a cell for a table: `*` when it is suppressed, `…` when it is not known."""
        if cell is None or cell.value is None:
            return UNKNOWN if cell is None or cell.flag != "suppressed" else WITHHELD
        return self.number(cell.value, unit)

    def percent(self, share: float, *, signed: bool = False) -> str:
        """Return a share of 1 in percent with one decimal, with its sign when `signed`."""
        pattern = "+#,##0.0;-#,##0.0" if signed and round(share, 3) else "#,##0.0"
        text: str = numbers.format_decimal(share * 100, format=pattern, locale=self.locale)
        return text.replace("\u202f", "\u00a0").replace("-", "−") + "\u00a0%"

    def month(self, period: str, form: str = "MMMM yyyy") -> str:
        """Return the name of a month, `octobre 2026`; `form`: a CLDR date pattern."""
        return month_name(period, form, self.locale)

    def months(self, first: str, last: str) -> str:
        """Return a run of months, `octobre 2026 à mars 2027`, or the name of its only one."""
        return (
            self.month(first) if first == last else self.text(_RANGE, first=self.month(first), last=self.month(last))
        )

    def date(self, value: datetime) -> str:
        """Return the day of a time in Luxembourg."""
        return show_date(value.astimezone(time_zone()), self.language)

    def moment(self, value: datetime) -> str:
        """Return day and time in Luxembourg."""
        return show_datetime(value, self.language)

    def breakdown(self, key: str) -> str:
        """Return the name of a breakdown; of the total for an empty one."""
        for declared in declared_indicators().breakdown:
            if declared.id == key:
                return declared.titles[self.language]
        return self.name(key)

    def name(self, key: str) -> str:
        """Return the name of a category, or else its key with spaces."""
        return self.texts.gettext(_NAMES[key]) if key in _NAMES else key.replace("_", " ")

    def within(self, whole: str, part: str) -> str:
        """Return a part with what it belongs to: `Documents deposited: Origin`."""
        return self.text(_PART_OF, whole=whole, part=part)

    def reason(self, reason: str) -> str:
        """Return the reason of a revision: translated when a build found it, else as it was entered."""
        return self.texts.gettext(REASONS[reason]) if reason in REASONS else reason

    def flag(self, flag: str) -> str:
        """Return the meaning of a flag."""
        return self.texts.gettext(FLAGS[flag])

    def unit(self, indicator: Indicator) -> str:
        """Return the unit of an indicator."""
        return self.texts.gettext(UNITS.get(indicator.unit, indicator.unit))

    def title(self, indicator: Indicator) -> str:
        """Return the title of an indicator."""
        return indicator.titles.get(self.language) or indicator.titles["en"]

    def definition(self, indicator: Indicator) -> str:
        """Return the definition of an indicator."""
        return indicator.definitions.get(self.language) or indicator.definitions["en"]


@lru_cache(4_096)
def month_name(period: str, form: str, locale: str) -> str:
    """Return a month in a CLDR date pattern."""
    return str(dates.format_date(date(int(period[:4]), int(period[5:]), 1), form, locale=locale))


@cache
def formatter(language: str) -> Formatter:
    """Return the formatter of a language."""
    return Formatter(language)
