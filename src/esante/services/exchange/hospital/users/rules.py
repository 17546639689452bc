"""The dated rules by which assertions of hospitals are accepted (`data/xua.toml`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.services.exchange.assertions.model import Code


@dataclass(frozen=True, slots=True)
class XuaRules:
    """The rules in force from a day.

    `roles`: as what a role acts (practitioner or organization). `purposes`: the purpose of use here of a code.
    `qualifiers`: systems of identifiers by NameQualifier.
    """

    valid_from: date
    legal_source: str
    verified: bool
    clock_tolerance: timedelta
    validity: timedelta
    confirmations: Sequence[str]
    roles: Mapping[Code, str]
    purposes: Mapping[Code, str]
    qualifiers: Mapping[str, str]


def xua_rules_on(day: date) -> XuaRules:
    """Return the rules in force on a day."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[XuaRules, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "xua.toml"), _parse)


def _parse(table: dict[str, Any]) -> XuaRules:
    purposes = {
        Code(code, one["system"]): purpose for one in table["purpose"] for code, purpose in one["codes"].items()
    }
    return XuaRules(
        valid_from=table["valid_from"],
        legal_source=table["legal_source"],
        verified=table["verified"],
        clock_tolerance=timedelta(seconds=table["clock_tolerance_seconds"]),
        validity=timedelta(hours=table["hours"]),
        confirmations=tuple(table["confirmations"]),
        roles={Code(code, one["system"]): one["acts"] for one in table["role"] for code in one["codes"]},
        purposes=purposes,
        qualifiers=table["qualifiers"],
    )
