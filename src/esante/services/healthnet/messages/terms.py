"""Terms of messages: times and sizes, as dated data (data/messages.toml)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTerms:
    """What holds of messages that are sent from a day on. `max_bytes`: of an encrypted content."""

    valid_from: date
    waits: timedelta
    receipts_kept: timedelta
    max_bytes: int
    most_waiting: int
    is_verified: bool


def _period(row: dict[str, Any]) -> MessageTerms:
    return MessageTerms(
        valid_from=row["valid_from"],
        waits=timedelta(days=row["days"]),
        receipts_kept=timedelta(days=365 * row["receipt_years"]),
        max_bytes=row["max_bytes"],
        most_waiting=row["most_waiting"],
        is_verified=row["verified"],
    )


@cache
def _packaged() -> tuple[MessageTerms, ...]:
    return parse_periods(packaged_text("esante.services.healthnet", "messages.toml"), _period)


def message_terms_on(day: date) -> MessageTerms:
    """Return the terms in force on a day."""
    return in_force(_packaged(), day)
