"""The dated terms of vendors, of kept runs and of labels (data/labels.toml)."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTerms:
    """The terms in force from `valid_from` until the next period begins."""

    valid_from: date
    legal_source: str
    verified: bool
    window: timedelta
    per_origin: int
    keep_unaccepted: timedelta
    link_lifetime: timedelta
    evidence_age: timedelta
    label_lifetime: timedelta
    renewal_before: timedelta
    rerun_within: timedelta


def terms_on(day: date) -> LabelTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[LabelTerms, ...]:
    return parse_periods(packaged_text("esante.services.conformance", "labels.toml"), _parse_period)


def _parse_period(period: Json) -> LabelTerms:
    return LabelTerms(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        window=timedelta(minutes=period["window_minutes"]),
        per_origin=period["per_origin"],
        keep_unaccepted=timedelta(days=period["unaccepted_days"]),
        link_lifetime=timedelta(days=period["link_days"]),
        evidence_age=timedelta(days=period["evidence_days"]),
        label_lifetime=timedelta(days=period["label_days"]),
        renewal_before=timedelta(days=period["renewal_days"]),
        rerun_within=timedelta(days=period["rerun_days"]),
    )
