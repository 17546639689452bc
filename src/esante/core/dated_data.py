"""Dated rules: data files whose periods each hold from a day until the next period begins.

Every period has `valid_from`, `legal_source` and `verified` (whether it was checked against the text of the law).
"""

import tomllib
from collections.abc import Callable, Sequence
from datetime import date
from importlib.resources import files
from typing import Any, Protocol, TypeVar


class Dated(Protocol):
    """A period of a dated rule."""

    @property
    def valid_from(self) -> date:
        """The first day on which the period holds."""


T = TypeVar("T", bound=Dated)


def packaged_text(package: str, name: str) -> str:
    """Return the text of the file `name` in the folder `data` of a package."""
    return (files(package) / "data" / name).read_text(encoding="utf-8")


def parse_periods(text: str, parse: Callable[[dict[str, Any]], T]) -> tuple[T, ...]:
    """Return the tables `[[period]]` of a TOML text, each read by `parse`, oldest first.

    Raises: ValueError when there is no period, and what `parse` raises when a field is missing or wrong.
    """
    periods = [parse(period) for period in tomllib.loads(text).get("period", ())]
    if not periods:
        raise ValueError("there is no [[period]]")
    return tuple(sorted(periods, key=lambda period: period.valid_from))


def in_force(periods: Sequence[T], on: date) -> T:
    """Return the period in force on a day; before the first period, the first. `periods`: oldest first."""
    begun = [period for period in periods if period.valid_from <= on]
    return begun[-1] if begun else periods[0]
