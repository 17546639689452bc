"""The dated data of reminders (data/reminders.toml)."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods

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


@cache
def _terms() -> tuple[ReminderTerms, ...]:
    return parse_periods(packaged_text(_PACKAGE, "reminders.toml"), lambda period: ReminderTerms(**period))
