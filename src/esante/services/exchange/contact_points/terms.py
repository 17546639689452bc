"""What this country exchanges and with whom, as dated data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.services.exchange.contact_points.model import FieldKind, MaskField


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPointTerms:
    """The terms of a period.

    `languages`: of the displays that are sent. `offers`: classes of documents (LOINC) that are answered. `sent_to`,
    `received_from`: countries of either direction. `mask`: by what patients of this country are identified abroad.
    """

    valid_from: date
    legal_source: str
    verified: bool
    languages: Sequence[str]
    offers: frozenset[str]
    sent_to: frozenset[str]
    received_from: frozenset[str]
    mask: Sequence[MaskField]


def terms_on(day: date) -> ContactPointTerms:
    """Return the terms in force on a day."""
    return in_force(_periods(), day)


@cache
def _periods() -> tuple[ContactPointTerms, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "contact_point.toml"), _parse)


def _parse(table: dict[str, Any]) -> ContactPointTerms:
    return ContactPointTerms(
        valid_from=table["valid_from"],
        legal_source=table["legal_source"],
        verified=table["verified"],
        languages=tuple(table["languages"]),
        offers=frozenset(table["offers"]),
        sent_to=frozenset(table["sent_to"]),
        received_from=frozenset(table["received_from"]),
        mask=tuple(
            MaskField(
                kind=FieldKind(one["kind"]),
                label=one["field"],
                domain=one.get("domain", ""),
                pattern=one.get("pattern", ""),
                is_mandatory=one["mandatory"],
            )
            for one in table["mask"]
        ),
    )
