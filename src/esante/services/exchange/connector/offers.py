"""The classes of documents that the record answers other countries (`data/offers.toml`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.services.exchange.assertions.rules import Act

PRESCRIPTION = "57833-6"
DISPENSATION = "60593-1"
DISCARD = "DISCARD-60593-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A class of documents (fields: see the file)."""

    class_code: str
    display: str
    act: Act
    types: Sequence[str]
    newest: bool
    coded: str
    pdf: str
    missing: str
    fails: bool


@dataclass(frozen=True, slots=True)
class _Offers:
    """The offers from a day on."""

    valid_from: date
    legal_source: str
    verified: bool
    offers: Sequence[Offer]


def offers_on(day: date) -> Sequence[Offer]:
    """Return the offers in force on a day."""
    return in_force(_periods(), day).offers


def offer_of(class_code: str, day: date) -> Offer | None:
    """Return the offer of a class of documents, None for one that is not offered."""
    return next((one for one in offers_on(day) if one.class_code == class_code), None)


@cache
def _periods() -> tuple[_Offers, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "offers.toml"), _parse)


def _parse(table: dict[str, Any]) -> _Offers:
    offers = [Offer(**{**one, "act": Act(one["act"])}) for one in table["offer"]]
    return _Offers(table["valid_from"], table["legal_source"], table["verified"], offers)
