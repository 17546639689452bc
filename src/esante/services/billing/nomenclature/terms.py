"""What tariffs are made of, and the letters at acts: data/tariff.toml and data/surcharges.toml, read and checked."""

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Any

from esante.services.billing.nomenclature.data_files import data_text
from esante.services.billing.nomenclature.model import Surcharge, SurchargeTerms, TariffTerms, Value

PACKAGE = "esante.services.billing.nomenclature"
TARIFF, SURCHARGES = "tariff.toml", "surcharges.toml"
WRONG = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a table of another form than expected raises."""
WHEN = ("", "night", "sunday", "holiday", "age")


def load_tariff() -> TariffTerms:
    """Return the key letters, the index and the rounding. Raises: ValueError for a value that is missing or wrong."""
    table = parse_toml(TARIFF, data_text(PACKAGE, TARIFF), "key_letter", "index", "rounding")
    letters: dict[str, list[dict[str, Any]]] = defaultdict(list)
    try:
        for row in table["key_letter"]:
            letters[str(row["key"])].append(row)
    except WRONG as error:
        raise ValueError(f"{TARIFF}: key_letter: {error}") from error
    return TariffTerms(
        key_letters={key: _values("key_letter", rows) for key, rows in letters.items()},
        index=_values("index", table["index"]),
        rounding=_values("rounding", table["rounding"]),
    )


def load_surcharges() -> Mapping[str, Surcharge]:
    """Return the letters at acts. Raises: ValueError for a value that is missing or wrong."""
    table = parse_toml(SURCHARGES, data_text(PACKAGE, SURCHARGES), "surcharge")
    try:
        found = [_surcharge(row) for row in table["surcharge"]]
    except WRONG as error:
        raise ValueError(str(error) if isinstance(error, ValueError) else f"{SURCHARGES}: {error}") from error
    if len({one.letter for one in found}) < len(found):
        raise ValueError(f"{SURCHARGES}: a letter is there twice")
    return {one.letter: one for one in found}


def parse_toml(name: str, text: str, *tables: str) -> dict[str, Any]:
    """Return the tables of a data file, all of which it must have. Raises: ValueError with its name and the fault."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name}: {error}") from error
    if found.keys() != set(tables):
        raise ValueError(f"{name}: it has {', '.join(found) or 'nothing'}, and should have {', '.join(tables)}")
    return found


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


def parse_whole(value: object) -> int:
    """Return a whole number that is not negative. Raises: ValueError for another value."""
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no whole number")
    return value


def parse_number(text: object) -> Decimal:
    """Return a finite number that is not negative. Raises: ValueError for another text."""
    try:
        number = Decimal(str(text))
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no number") from error
    if not number.is_finite() or number < 0:
        raise ValueError(f"{text} is negative, or no number")
    return number


def parse_dated(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every period has: `valid_from`, `legal_source`, `verified`. Raises: KeyError, ValueError."""
    found = {name: row[name] for name in ("valid_from", "legal_source", "verified")}
    if [type(value) for value in found.values()] != [date, str, bool]:
        raise ValueError("valid_from is a day, legal_source a text, verified true or false")
    return found


def _values(kind: str, rows: Any) -> tuple[Value, ...]:
    try:
        found = [Value(value=parse_number(row["value"]), **parse_dated(row)) for row in rows]
    except WRONG as error:
        raise ValueError(f"{TARIFF}: {kind}: {error}") from error
    if not found or len({one.valid_from for one in found}) < len(found):
        raise ValueError(f"{TARIFF}: {kind}: there is none, or two begin on one day")
    return tuple(sorted(found, key=lambda one: one.valid_from))


def _surcharge(row: Mapping[str, Any]) -> Surcharge:
    try:
        texts = row["letter"], row["label"], row.get("when", "")
        if any(type(text) is not str for text in texts) or len(texts[0]) != 1 or texts[2] not in WHEN:
            raise ValueError(f"a letter, a label and one of {WHEN} are needed")
        if not row["period"] or type(row.get("urgent", False)) is not bool:
            raise ValueError("a period is needed, and urgent is true or false")
        periods = sorted((_surcharge_terms(period) for period in row["period"]), key=lambda one: one.valid_from)
        return Surcharge(
            letter=row["letter"],
            label=row["label"],
            when=row.get("when", ""),
            urgent=row.get("urgent", False),
            periods=tuple(periods),
        )
    except WRONG as error:
        raise ValueError(f"{SURCHARGES}: {row.get('letter', '?')}: {error}") from error


def _surcharge_terms(period: Mapping[str, Any]) -> SurchargeTerms:
    return SurchargeTerms(
        **parse_dated(period),
        share=parse_number(period.get("share", 1)),
        addition=parse_number(period.get("addition", 0)),
        minimum=parse_number(period.get("minimum", 0)),
        hours=parse_hours(period["hours"]) if "hours" in period else None,
        below_age=parse_whole(period["below_age"]) if "below_age" in period else None,
        above_age=parse_whole(period["above_age"]) if "above_age" in period else None,
    )
