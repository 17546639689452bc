"""The limits of fee notes and how long they are kept, as dated data (data/note_limits.toml, data/note_retention.toml).

Fee notes are accounting records and no part of the health record, whose deletion leaves them.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteLimits:
    """The limits from `valid_from` on: the age of a note in days, amounts in euros."""

    valid_from: date
    legal_source: str
    verified: bool
    max_age_days: int
    largest_line: Decimal
    largest_total: Decimal


def note_limits(on: date) -> NoteLimits:
    """Return the limits in force on a day."""
    return in_force(_periods(), on)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRetention:
    """From `valid_from` on: for how many years from the day it came a note is kept at least."""

    valid_from: date
    years: int
    legal_source: str
    verified: bool


def kept_for(day: date) -> timedelta:
    """Return how long a note is kept at least that comes on a day."""
    return timedelta(days=365.25 * in_force(_retention(), day).years)


def shortest_keeping() -> timedelta:
    """Return for how long every note is kept at least, on whatever day it came."""
    return timedelta(days=365.25 * min(one.years for one in _retention()))


@cache
def _periods() -> tuple[NoteLimits, ...]:
    text = packaged_text("esante.services.billing", "note_limits.toml")
    return parse_periods(text, _limits)


def _limits(period: dict[str, object]) -> NoteLimits:
    amounts = {name: Decimal(str(period[name])) for name in ("largest_line", "largest_total")}
    return NoteLimits(**(period | amounts))  # type: ignore[arg-type]


@cache
def _retention() -> tuple[NoteRetention, ...]:
    text = packaged_text("esante.services.billing", "note_retention.toml")
    return parse_periods(text, lambda period: NoteRetention(**period))
