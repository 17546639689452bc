"""The dated limits of exports: how long files are kept, how many jobs a client may have (data/policy.toml)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPolicy:
    """The limits in force from `valid_from` until the next period begins."""

    valid_from: date
    legal_source: str
    verified: bool
    keep: timedelta
    running_jobs: int
    kept_jobs: int
    poll: timedelta


def parse_policies(text: str) -> tuple[ExportPolicy, ...]:
    """Return the periods of a policy file, oldest first.

    Raises: ValueError when there is no period, KeyError when a field is missing.
    """
    return parse_periods(text, _parse_period)


def _parse_period(period: dict[str, Any]) -> ExportPolicy:
    return ExportPolicy(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        keep=timedelta(hours=period["keep_hours"]),
        running_jobs=period["running_jobs"],
        kept_jobs=period["kept_jobs"],
        poll=timedelta(seconds=period["poll_seconds"]),
    )


@cache
def _policies() -> tuple[ExportPolicy, ...]:
    return parse_policies(packaged_text("esante.services.export", "policy.toml"))


def policy_on(day: date) -> ExportPolicy:
    """Return the limits in force on a day; before the first period, the first."""
    return in_force(_policies(), day)
