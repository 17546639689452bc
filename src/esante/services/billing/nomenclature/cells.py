"""The cells of a row of the nomenclature, read with a reason for what cannot be read."""

import re
from collections.abc import Collection, Mapping
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from esante.services.billing.nomenclature.model import Frequency, Unit
from esante.services.billing.nomenclature.terms import parse_hours, parse_number

E = TypeVar("E", bound=StrEnum)
_FREQUENCY = re.compile(r"([1-9]\d{0,2})/(?:([1-9]\d{0,3})([dmy])|(life))(/biller)?")
_WHOLE = re.compile(r"\d{1,4}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Cells:
    """The cells of one row by the names of their columns; a column that the file does not have is empty.

    All methods raise ValueError for a cell that they cannot read.
    """

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells

    def text(self, name: str) -> str:
        """Return the text of a cell."""
        return self._cells.get(name, "")

    def words(self, name: str) -> list[str]:
        """Return the values of a cell."""
        return self.text(name).split()

    def one_of(self, name: str, kind: type[E]) -> E:
        """Return the member of an enumeration that a cell names."""
        return _member(name, self.text(name), kind)

    def many_of(self, name: str, kind: type[E]) -> list[E]:
        """Return the members of an enumeration that a cell names."""
        return [_member(name, one, kind) for one in self.words(name)]

    def known(self, name: str, names: Collection[str]) -> frozenset[str]:
        """Return the values of a cell, all of which must be among the names."""
        found = frozenset(self.words(name))
        if unknown := sorted(found - set(names)):
            raise ValueError(f"unknown {name}: {', '.join(unknown)}")
        return found

    def day(self, name: str) -> date | None:
        """Return a day, None for an empty cell."""
        return self.required_day(name) if self.text(name) else None

    def required_day(self, name: str) -> date:
        """Return a day."""
        text = self.text(name)
        try:
            if _DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        raise ValueError(f"{name} is no day (YYYY-MM-DD): {text!r}")

    def amount(self, name: str, most: Decimal) -> Decimal | None:
        """Return a number of at most four decimals, None for an empty cell."""
        if not (text := self.text(name)):
            return None
        try:
            number = parse_number(text)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        exponent = number.as_tuple().exponent
        if number > most or not isinstance(exponent, int) or exponent < -4:
            raise ValueError(f"{name}: {text} is above {most}, or has more than four decimals")
        return number

    def whole(self, name: str, most: int) -> int | None:
        """Return a whole number, None for an empty cell."""
        if not (text := self.text(name)):
            return None
        if not _WHOLE.fullmatch(text) or int(text) > most:
            raise ValueError(f"{name} is no whole number up to {most}: {text!r}")
        return int(text)

    def flag(self, name: str, *, required: bool = False) -> bool:
        """Return `true` or `false`; an empty cell is false where it may be empty."""
        text = self.text(name)
        if text not in ("true", "false") and (text or required):
            raise ValueError(f"{name} is neither true nor false: {text!r}")
        return text == "true"

    def hours(self, name: str) -> tuple[time, time] | None:
        """Return a span of the day, None for an empty cell."""
        return parse_hours(self.text(name)) if self.text(name) else None

    def frequencies(self, name: str) -> tuple[Frequency, ...]:
        """Return frequency limits."""
        return tuple(parse_frequency(one) for one in self.words(name))


def _member(name: str, text: str, kind: type[E]) -> E:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"unknown {name}: {text!r}") from None


def parse_frequency(text: str) -> Frequency:
    """Return the frequency limit that a text gives. Raises: ValueError."""
    match = _FREQUENCY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no frequency, such as 1/1d/biller, 2/12m, 1/1y or 1/life")
    count, span, unit, life, biller = match.groups()
    return Frequency(count=int(count), span=int(span or 1), unit=Unit(unit or life), by_biller=bool(biller))
