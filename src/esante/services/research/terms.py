"""The dated terms of the access body (data/authority.toml), and the purposes of secondary use (data/purposes.toml)."""

import calendar
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json

_PACKAGE = "esante.services.research"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityTerms:
    """The terms in force from `valid_from` until the next period begins."""

    valid_from: date
    legal_source: str
    verified: bool
    decision_months: int
    request_months: int
    answer_time: timedelta
    permit_years: int
    window: timedelta
    per_origin: int
    keep_unaccepted: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A purpose that is allowed (Article 53(1)); `public_bodies_only`: for public sector bodies (Article 53(2))."""

    key: str
    article: str
    public_bodies_only: bool
    titles: Mapping[str, str]
    descriptions: Mapping[str, str]


def terms_on(day: date) -> AuthorityTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), day)


@cache
def purposes() -> Mapping[str, Purpose]:
    """Return the purposes that are allowed, by their key."""
    return {one["key"]: Purpose(**one) for one in _purposes_file()["purpose"]}


@cache
def prohibited_purposes() -> tuple[Mapping[str, str], ...]:
    """Return the titles, by language, of what is prohibited (Article 54)."""
    return tuple(one["titles"] for one in _purposes_file()["prohibited"])


def add_months(day: date, months: int) -> date:
    """Return the same day some months later, or the last day of that month."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _purposes_file() -> Json:
    return tomllib.loads(packaged_text(_PACKAGE, "purposes.toml"))


@cache
def _periods() -> tuple[AuthorityTerms, ...]:
    return parse_periods(packaged_text(_PACKAGE, "authority.toml"), _parse_period)


def _parse_period(period: Json) -> AuthorityTerms:
    return AuthorityTerms(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        decision_months=period["decision_months"],
        request_months=period["request_months"],
        answer_time=timedelta(days=period["answer_days"]),
        permit_years=period["permit_years"],
        window=timedelta(minutes=period["window_minutes"]),
        per_origin=period["per_origin"],
        keep_unaccepted=timedelta(days=period["unaccepted_days"]),
    )
