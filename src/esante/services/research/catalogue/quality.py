"""The dated limits of the quality and utility label (data/quality.toml)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityTerms:
    """The limits in force from `valid_from` to the next period: from the first on high, from the second on medium."""

    valid_from: date
    legal_source: str
    verified: bool
    completeness: tuple[float, float]
    coverage: tuple[float, float]
    coding: tuple[float, float]
    timeliness_months: tuple[int, int]
    measure_after: timedelta


def quality_on(day: date) -> QualityTerms:
    """Return the limits in force on a day; before the first period, the first."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[QualityTerms, ...]:
    return parse_periods(packaged_text("esante.services.research", "quality.toml"), _parse_period)


def _parse_period(period: Json) -> QualityTerms:
    return QualityTerms(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        completeness=tuple(period["completeness"]),
        coverage=tuple(period["coverage"]),
        coding=tuple(period["coding"]),
        timeliness_months=tuple(period["timeliness_months"]),
        measure_after=timedelta(days=period["measure_days"]),
    )
