"""The dated rules by which assertions are accepted (`data/assertions.toml`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods


class Act(StrEnum):
    """What a message asks for."""

    IDENTIFY = "identify"
    SUMMARY = "summary"
    PRESCRIPTION = "prescription"
    ORIGINAL = "original"
    DISPENSE = "dispense"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class AssertionRules:
    """The rules in force from a day."""

    valid_from: date
    legal_source: str
    verified: bool
    audience: str
    clock_tolerance: timedelta
    hcp_validity: timedelta
    trc_validity: timedelta
    nok_validity: timedelta
    role_system: str
    roles: Sequence[str]
    facility_types: Sequence[str]
    purposes: Sequence[str]
    purpose_system: str
    purpose_systems: Sequence[str]
    strong_authentication: Sequence[str]
    permissions: Mapping[Act, Sequence[str]]


def rules_on(day: date) -> AssertionRules:
    """Return the rules in force on a day."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[AssertionRules, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "assertions.toml"), _parse)


def _parse(table: dict[str, Any]) -> AssertionRules:
    return AssertionRules(
        valid_from=table["valid_from"],
        legal_source=table["legal_source"],
        verified=table["verified"],
        audience=table["audience"],
        clock_tolerance=timedelta(seconds=table["clock_tolerance_seconds"]),
        hcp_validity=timedelta(hours=table["hcp_hours"]),
        trc_validity=timedelta(hours=table["trc_hours"]),
        nok_validity=timedelta(hours=table["nok_hours"]),
        role_system=table["role_system"],
        roles=tuple(table["roles"]),
        facility_types=tuple(table["facility_types"]),
        purposes=tuple(table["purposes"]),
        purpose_system=table["purpose_system"],
        purpose_systems=tuple(table["purpose_systems"]),
        strong_authentication=tuple(table["strong_authentication"]),
        permissions={Act(act): tuple(codes) for act, codes in table["permissions"].items()},
    )
