"""The dated rules of availability (data/sla.toml)."""

from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.services.healthnet.contracts.model import Credit, SlaTerms


def sla_terms_on(day: date) -> SlaTerms:
    """Return the rules of a day."""
    return in_force(_packaged(), day)


@cache
def _packaged() -> tuple[SlaTerms, ...]:
    return parse_periods(packaged_text("esante.services.healthnet", "sla.toml"), _terms)


def _terms(row: dict[str, Any]) -> SlaTerms:
    credits = (Credit(missing=Decimal(one["missing"]), share=Decimal(one["share"])) for one in row["credit"])
    return SlaTerms(
        valid_from=row["valid_from"],
        notice=timedelta(hours=row["notice_hours"]),
        credits=tuple(sorted(credits, key=lambda one: one.missing)),
        is_verified=row["verified"],
        is_sample=row.get("sample", False),
    )
