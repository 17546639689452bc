"""The dated terms of encounters (`data/encounters.toml`)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True)
class EncounterTerms:
    """The terms in force from a day."""

    valid_from: date
    legal_source: str
    verified: bool
    open_for: timedelta
    kept_for: timedelta
    authentication: str
    roles: Mapping[str, str]
    facilities: Mapping[str, str]
    dispensers: Collection[str]


def terms_on(day: date) -> EncounterTerms:
    """Return the terms in force on a day."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[EncounterTerms, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "encounters.toml"), _parse)


def _parse(table: dict[str, Any]) -> EncounterTerms:
    return EncounterTerms(
        valid_from=table["valid_from"],
        legal_source=table["legal_source"],
        verified=table["verified"],
        open_for=timedelta(hours=table["open_hours"]),
        kept_for=timedelta(days=table["kept_days"]),
        authentication=table["authentication"],
        roles=table["roles"],
        facilities=table["facilities"],
        dispensers=frozenset(table["dispensers"]),
    )
