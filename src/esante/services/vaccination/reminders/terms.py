"""The dated data of reminders (data/reminders.toml), and the cantons of the communes (data/cantons.csv)."""

import csv
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from io import StringIO

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.identity.directory import Address

_PACKAGE = "esante.services.vaccination"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderTerms:
    """When persons are reminded, from `valid_from` on (see data/reminders.toml)."""

    valid_from: date
    lead_days: int
    same_dose_days: int
    without_doses_until_years: int
    legal_source: str
    verified: bool


def reminder_terms(on: date) -> ReminderTerms:
    """Return the terms in force on a day."""
    return in_force(_terms(), on)


def canton_of(address: Address) -> str:
    """Return the canton of an address, "" where the commune is not known or lies abroad."""
    return _cantons().get(_normal(address.city), "") if address.country in ("", "LU") else ""


@cache
def _terms() -> tuple[ReminderTerms, ...]:
    return parse_periods(packaged_text(_PACKAGE, "reminders.toml"), lambda period: ReminderTerms(**period))


@cache
def _cantons() -> Mapping[str, str]:
    rows = csv.DictReader(StringIO(packaged_text(_PACKAGE, "cantons.csv")))
    return {_normal(row["city"]): row["canton"] for row in rows}


def _normal(city: str) -> str:
    """Return a name without accents, blanks and case, as it is compared."""
    plain = unicodedata.normalize("NFKD", city.casefold())
    return "".join(char for char in plain if char.isalpha() and not unicodedata.combining(char))
