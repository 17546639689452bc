"""The dated terms of the life of a record (`data/lifecycle.toml`)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleTerms:
    """The terms in force from `valid_from` until the next period begins; years and days as of `core.time_limits`."""

    valid_from: date
    objection_days: int
    archive_years: int
    inactivity_years: int
    reading_after_death: timedelta
    writing_after_death: timedelta
    objection_waiting_days: int
    """Days between an objection and the deletion of the record."""
    notice_days: int
    """Days for which the person knows of a closing or deletion before it is done."""
    unattended_per_day: int
    """Deletions in 24 hours that need no approval by two people."""


@lru_cache(maxsize=64)
def lifecycle_terms(on: date) -> LifecycleTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[LifecycleTerms, ...]:
    return parse_periods(packaged_text("esante.identity.access", "lifecycle.toml"), _parse)


def _parse(period: Json) -> LifecycleTerms:
    disposition = period["disposition"]
    return LifecycleTerms(
        valid_from=period["valid_from"],
        objection_days=period["opening"]["objection_days"],
        archive_years=period["archive"]["years"],
        inactivity_years=period["inactivity"]["years"],
        reading_after_death=timedelta(days=period["death"]["reading_days"]),
        writing_after_death=timedelta(days=period["death"]["writing_days"]),
        objection_waiting_days=disposition["objection_waiting_days"],
        notice_days=disposition["notice_days"],
        unattended_per_day=disposition["unattended_per_day"],
    )
