"""The limits of fee notes, as dated data (data/note_limits.toml)."""

from dataclasses import dataclass
from datetime import date
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


@cache
def _periods() -> tuple[NoteLimits, ...]:
    text = packaged_text("esante.services.billing", "note_limits.toml")
    return parse_periods(text, _limits)


def _limits(period: dict[str, object]) -> NoteLimits:
    amounts = {name: Decimal(str(period[name])) for name in ("largest_line", "largest_total")}
    return NoteLimits(**(period | amounts))  # type: ignore[arg-type]
