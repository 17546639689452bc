"""The dated data of the checks: their figures, who gives which vaccine, contraindications."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json

_PACKAGE = "esante.services.vaccination"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTerms:
    """The figures of the checks in force from `valid_from`."""

    valid_from: date
    live_interval_days: int
    longest_shelf_life_days: int
    calendar_age_until_years: int
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Vaccinators:
    """The antigens that each profession may give from `valid_from` on; none named: all."""

    valid_from: date
    professions: Mapping[str, Collection[str]]
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContraindicationKind:
    """A kind of contraindication: what it excludes, its codes in SNOMED CT and in the calendar; `label` is a msgid."""

    key: str
    label: str
    observation: str
    code: str
    live: bool
    antigens: tuple[str, ...]
    legal_source: str
    verified: bool


def check_terms(on: date) -> CheckTerms:
    """Return the figures of the checks in force on a day."""
    return in_force(_terms(), on)


def may_vaccinate(profession: str, antigens: Collection[str], on: date) -> bool:
    """Return whether a profession may give a vaccine against some antigens on a day."""
    allowed = antigens_given_by(profession, on)
    if allowed is None:
        return False
    return not allowed or (bool(antigens) and set(antigens) <= set(allowed))


def antigens_given_by(profession: str, on: date) -> Collection[str] | None:
    """Return the antigens against which a profession vaccinates on a day; empty: all; None: it does not vaccinate."""
    return in_force(_vaccinators(), on).professions.get(profession)


@cache
def contraindication_kinds() -> Mapping[str, ContraindicationKind]:
    """Return the kinds of contraindications by their keys."""
    rows = tomllib.loads(packaged_text(_PACKAGE, "contraindications.toml"))["contraindication"]
    return {row["key"]: ContraindicationKind(**row | {"antigens": tuple(row["antigens"])}) for row in rows}


@cache
def _terms() -> tuple[CheckTerms, ...]:
    return parse_periods(packaged_text(_PACKAGE, "checks.toml"), lambda period: CheckTerms(**period))


@cache
def _vaccinators() -> tuple[Vaccinators, ...]:
    def parse(period: Json) -> Vaccinators:
        return Vaccinators(**period)

    return parse_periods(packaged_text(_PACKAGE, "vaccinators.toml"), parse)
