"""The terms of immediate payment, as dated data (data/immediate_payment.toml)."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class PidTerms:
    """The terms from `valid_from` on: who may bill, whose insured, days to answer a contestation, its codes ({}: any).

    `keep_days`: for how many days a simulation is kept that nobody validated.
    """

    valid_from: date
    professions: frozenset[str]
    funds: frozenset[str]
    contestation_days: int
    contestation_codes: frozenset[str]
    keep_days: int
    legal_source: str
    verified: bool


def pid_terms(on: date) -> PidTerms:
    """Return the terms in force on a day."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[PidTerms, ...]:
    return parse_periods(packaged_text("esante.services.billing", "immediate_payment.toml"), _terms)


def _terms(period: dict[str, Any]) -> PidTerms:
    sets = {name: frozenset(period[name]) for name in ("professions", "funds", "contestation_codes")}
    return PidTerms(**(period | sets))
