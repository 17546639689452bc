"""The dated terms of statements (`data/statements.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json

ORGAN_DONATION = "organ_donation"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementKind:
    """A kind of statement; `key` is its document class, `label` a msgid.

    `is_question`: it is a yes or no. `system` and `code`: of Consent.category. `document_type`: the LOINC type of a
    document that belongs to it, "" where none does.
    """

    key: str
    label: str
    is_question: bool
    system: str
    code: str
    document_type: str
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTerms:
    """The terms in force from `valid_from` until the next period begins."""

    valid_from: date
    ask_again_days: int
    kinds: Mapping[str, StatementKind]


@lru_cache(maxsize=64)
def statement_terms(on: date) -> StatementTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[StatementTerms, ...]:
    return parse_periods(packaged_text("esante.services.record", "statements.toml"), _parse)


def _parse(period: Json) -> StatementTerms:
    kinds = [StatementKind(**kind) for kind in period["kind"]]
    return StatementTerms(
        valid_from=period["valid_from"],
        ask_again_days=period["ask_again_days"],
        kinds={kind.key: kind for kind in kinds},
    )
