"""The dated terms of decisions: deadlines of appeals, what is held as unusual (data/terms.toml)."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class IncentiveTerms:
    """The terms in force from `valid_from` until the next period begins.

    `appeal_within`, `answer_within`: the time for an appeal after the decision, and for its answer. The rest says when
    evidence is unusual: `burst_days` last days of a quarter, the least shares of documents in a burst, of a minimal
    amount, or cancelled, and the most documents of one patient.
    """

    valid_from: date
    legal_source: str
    verified: bool
    appeal_within: timedelta
    answer_within: timedelta
    burst_days: int
    burst_share: Decimal
    minimal_amount: Decimal
    minimal_share: Decimal
    most_of_patient: int
    cancelled_share: Decimal


def terms_on(day: date) -> IncentiveTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[IncentiveTerms, ...]:
    return parse_periods(packaged_text("esante.services.incentives", "terms.toml"), _terms)


def _terms(period: Json) -> IncentiveTerms:
    return IncentiveTerms(
        valid_from=period["valid_from"],
        legal_source=period["legal_source"],
        verified=period["verified"],
        appeal_within=timedelta(days=period["appeal_days"]),
        answer_within=timedelta(days=period["answer_days"]),
        burst_days=period["burst_days"],
        burst_share=Decimal(period["burst_share"]),
        minimal_amount=Decimal(period["minimal_amount"]),
        minimal_share=Decimal(period["minimal_share"]),
        most_of_patient=period["most_of_patient"],
        cancelled_share=Decimal(period["cancelled_share"]),
    )
