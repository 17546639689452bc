"""The dated rules of how long messages are kept (`data/hl7v2.toml`)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True)
class MessageTerms:
    """The rules in force from a day: how long failed messages, and the answers to messages, are kept."""

    valid_from: date
    legal_source: str
    verified: bool
    failed: timedelta
    answers: timedelta


def message_terms_on(day: date) -> MessageTerms:
    """Return the rules in force on a day."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[MessageTerms, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "hl7v2.toml"), _parse)


def _parse(table: dict[str, Any]) -> MessageTerms:
    return MessageTerms(
        valid_from=table["valid_from"],
        legal_source=table["legal_source"],
        verified=table["verified"],
        failed=timedelta(days=table["failed_days"]),
        answers=timedelta(days=table["answers_days"]),
    )
