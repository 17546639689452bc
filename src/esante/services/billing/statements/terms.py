"""The limit of what patients bear in a year, as dated data (data/participation.toml)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipationTerms:
    """From `valid_from` on: the share of the contributory income of the year before that is borne at most."""

    valid_from: date
    legal_source: str
    verified: bool
    share: Decimal


def participation_terms(year: int) -> ParticipationTerms:
    """Return the terms of a year."""
    return in_force(_periods(), date(year, 12, 31))


@cache
def _periods() -> tuple[ParticipationTerms, ...]:
    return parse_periods(packaged_text("esante.services.billing.statements", "participation.toml"), _terms)


def _terms(period: dict[str, Any]) -> ParticipationTerms:
    return ParticipationTerms(**(period | {"share": Decimal(period["share"])}))
