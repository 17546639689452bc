"""The dated deadlines of deposits (`data/deadlines.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineTerms:
    """The deadlines for care from `valid_from` until the next period begins.

    `care_days`: after the end of care, for documents of the `kinds`; `request_days`: after the holder's request.
    `kinds`: labels (msgids) by their keys; `kind_of_type`: the kind of a LOINC type of documents.
    """

    valid_from: date
    care_days: int
    request_days: int
    kinds: Mapping[str, str]
    kind_of_type: Mapping[str, str]


@lru_cache(maxsize=64)
def deadline_terms(on: date) -> DeadlineTerms:
    """Return the deadlines in force on a day; before the first period, the first."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[DeadlineTerms, ...]:
    return parse_periods(packaged_text("esante.services.record", "deadlines.toml"), _parse)


def _parse(period: Json) -> DeadlineTerms:
    return DeadlineTerms(
        valid_from=period["valid_from"],
        care_days=period["care_days"],
        request_days=period["request_days"],
        kinds={kind["key"]: kind["label"] for kind in period["kind"]},
        kind_of_type={type_: kind["key"] for kind in period["kind"] for type_ in kind["types"]},
    )
