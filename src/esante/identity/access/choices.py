"""The dated terms of the choices of holders and of those who act for them (`data/choices.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.types import Json
from esante.core.web import N_, bad_request
from esante.identity.access.representation.model import RepresentationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceTerms:
    """The terms in force from `valid_from` until the next period begins.

    `risks`: what a choice carries, in words (msgids). `representations`: the name (msgid) of each kind. `personal`:
    the document classes that nobody writes for the person.
    """

    valid_from: date
    risks: Mapping[str, str]
    opposition_longest_days: int
    incapacity_longest_days: int
    representations: Mapping[RepresentationKind, str]
    personal: frozenset[str]

    def kind_label(self, kind: str) -> str:
        """Return the name (msgid) of a kind of representation; of an unknown one its key."""
        return self.representations.get(RepresentationKind(kind), kind) if kind in set(RepresentationKind) else kind


@lru_cache(maxsize=64)
def choice_terms(on: date) -> ChoiceTerms:
    """Return the terms in force on a day; before the first period, the first."""
    return in_force(_periods(), on)


def require_period(since: date | None, until: date | None, longest_days: int) -> tuple[date, date]:
    """Return the first and the last day of a period. Raises: Problem 400 unless it is whole and not too long."""
    if since is None or until is None:
        raise bad_request("until", N_("The first and the last day are needed."), code="required")
    if not 0 <= (until - since).days <= longest_days:
        raise bad_request("until", N_("The last day comes before the first, or the time is too long."), code="value")
    return since, until


@cache
def _periods() -> tuple[ChoiceTerms, ...]:
    return parse_periods(packaged_text("esante.identity.access", "choices.toml"), _parse)


def _parse(period: Json) -> ChoiceTerms:
    return ChoiceTerms(
        valid_from=period["valid_from"],
        risks={one["key"]: one["words"] for one in period["risk"]},
        opposition_longest_days=period["opposition"]["longest_days"],
        incapacity_longest_days=period["incapacity"]["longest_days"],
        personal=frozenset(period["personal"]["classes"]),
        representations={RepresentationKind(one["key"]): one["label"] for one in period["representation"]},
    )
