"""What tariffs are made of, and the letters at acts: data/tariff.toml and data/surcharges.toml, read and checked."""

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any

from esante.services.billing.nomenclature.data_files import data_text
from esante.services.billing.nomenclature.model import Surcharge, SurchargeTerms, TariffTerms, Value

PACKAGE = "esante.services.billing.nomenclature"
TARIFF, SURCHARGES = "tariff.toml", "surcharges.toml"
WHEN = ("", "night", "sunday", "holiday", "age")


def load_tariff() -> TariffTerms:
    """Return the key letters, the index and the rounding. Raises: ValueError for a value that is missing or wrong."""
    table = parse_toml(TARIFF, data_text(PACKAGE, TARIFF))
    letters: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.get("key_letter", ()):
        letters[str(row.get("key", ""))].append(row)
    return TariffTerms(
        key_letters={key: _values("key_letter", rows) for key, rows in letters.items()},
        index=_values("index", table.get("index", ())),
        rounding=_values("rounding", table.get("rounding", ())),
    )


def load_surcharges() -> Mapping[str, Surcharge]:
    """Return the letters at acts. Raises: ValueError for a value that is missing or wrong."""
    table = parse_toml(SURCHARGES, data_text(PACKAGE, SURCHARGES))
    found = [_surcharge(row) for row in table.get("surcharge", ())]
    if len({one.letter for one in found}) < len(found):
        raise ValueError(f"{SURCHARGES}: a letter is there twice")
    return {one.letter: one for one in found}


def parse_toml(name: str, text: str) -> dict[str, Any]:
    """Return the tables of a data file. Raises: ValueError with its name and the place of the fault."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name}: {error}") from error


def parse_hours(text: str) -> tuple[time, time]:
    """Return the times of `20:00-07:00`. Raises: ValueError for another text."""
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} are no hours, such as 19:00-22:00")
    return time.fromisoformat(first), time.fromisoformat(last)


def is_within(hours: tuple[time, time], moment: time) -> bool:
    """Return whether a time of day is in a span, whose end does not count; the span may go over midnight."""
    first, last = hours
    return first <= moment < last if first <= last else moment >= first or moment < last


def parse_number(text: object) -> Decimal:
    """Return a finite number that is not negative. Raises: ValueError for another text."""
    try:
        number = Decimal(str(text))
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no number") from error
    if not number.is_finite() or number < 0:
        raise ValueError(f"{text} is negative, or no number")
    return number


def _values(kind: str, rows: Any) -> tuple[Value, ...]:
    try:
        found = [
            Value(
                valid_from=row["valid_from"],
                value=parse_number(row["value"]),
                legal_source=row["legal_source"],
                verified=row["verified"],
            )
            for row in rows
        ]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{TARIFF}: {kind}: {error}") from error
    if not found or len({one.valid_from for one in found}) < len(found):
        raise ValueError(f"{TARIFF}: {kind}: there is none, or two begin on one day")
    return tuple(sorted(found, key=lambda one: one.valid_from))


def _surcharge(row: Mapping[str, Any]) -> Surcharge:
    try:
        if len(row["letter"]) != 1 or row.get("when", "") not in WHEN or not row["period"]:
            raise ValueError(f"a letter, one of {WHEN} and a period are needed")
        periods = sorted((_surcharge_terms(period) for period in row["period"]), key=lambda one: one.valid_from)
        return Surcharge(
            letter=row["letter"],
            label=row["label"],
            when=row.get("when", ""),
            urgent=row.get("urgent", False),
            periods=tuple(periods),
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"{SURCHARGES}: {row.get('letter', '?')}: {error}") from error


def _surcharge_terms(period: Mapping[str, Any]) -> SurchargeTerms:
    return SurchargeTerms(
        valid_from=period["valid_from"],
        share=parse_number(period.get("share", 1)),
        addition=parse_number(period.get("addition", 0)),
        minimum=parse_number(period.get("minimum", 0)),
        hours=parse_hours(period["hours"]) if "hours" in period else None,
        below_age=period.get("below_age"),
        above_age=period.get("above_age"),
        legal_source=period["legal_source"],
        verified=period["verified"],
    )
