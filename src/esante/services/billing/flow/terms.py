"""How long the counts of the flow are kept, as dated data (data/flow.toml)."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowTerms:
    """From `valid_from` on: for how many days the counts of each minute are kept."""

    valid_from: date
    keep_days: int
    legal_source: str
    verified: bool


def flow_terms(on: date) -> FlowTerms:
    """Return the terms in force on a day."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[FlowTerms, ...]:
    return parse_periods(
        packaged_text("esante.services.billing.flow", "flow.toml"), lambda period: FlowTerms(**period)
    )
