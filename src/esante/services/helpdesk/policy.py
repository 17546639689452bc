"""The dated terms of the helpdesk: how long reports are kept, how many somebody may send (data/policy.toml)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpdeskPolicy:
    """The terms in force from `valid_from` until the next period begins."""

    valid_from: date
    legal_source: str
    verified: bool
    keep_answered: timedelta
    keep_open: timedelta
    window: timedelta
    per_origin: int
    per_requester: int


def policy_on(day: date) -> HelpdeskPolicy:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_policies(), day)


@cache
def _policies() -> tuple[HelpdeskPolicy, ...]:
    return parse_periods(packaged_text("esante.services.helpdesk", "policy.toml"), _parse_period)


def _parse_period(period: Json) -> HelpdeskPolicy:
    return HelpdeskPolicy(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        keep_answered=timedelta(days=period["answered_days"]),
        keep_open=timedelta(days=period["open_days"]),
        window=timedelta(minutes=period["window_minutes"]),
        per_origin=period["per_origin"],
        per_requester=period["per_requester"],
    )
