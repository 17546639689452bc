"""The dated terms of retention (`data/retention.toml`)."""

from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionTerms:
    """The terms for what is deposited from `valid_from` until the next period begins."""

    valid_from: date
    years: int
    notice_days: int
    """Days for which the person knows of the end before anything is deleted."""
    object_days: int
    """Days for which the bytes of deleted documents stay in the object store."""


@lru_cache(maxsize=64)
def retention_terms(on: date) -> RetentionTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[RetentionTerms, ...]:
    return parse_periods(packaged_text("esante.services.record", "retention.toml"), _parse)


def _parse(period: Json) -> RetentionTerms:
    return RetentionTerms(
        valid_from=period["valid_from"],
        years=period["years"],
        notice_days=period["practice"]["notice_days"],
        object_days=period["practice"]["object_days"],
    )
