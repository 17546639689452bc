"""Quarters of a year, by which incentives are decided and paid."""

import re
from datetime import date, timedelta
from typing import NamedTuple

_TEXT = re.compile(r"(\d{4})-Q([1-4])", re.ASCII)


class Quarter(NamedTuple):
    """A quarter of a year; its text is `2026-Q1`."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}-Q{self.number}"

    @classmethod
    def parse(cls, text: str) -> "Quarter":
        """Return the quarter of a text. Raises: ValueError for another text."""
        found = _TEXT.fullmatch(text)
        if found is None or found[1] == "0000":
            raise ValueError(f"{text[:20]!r} is no quarter: write it like 2026-Q1")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, day: date) -> "Quarter":
        """Return the quarter of a day."""
        return cls(day.year, (day.month + 2) // 3)

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last(self) -> date:
        """The last day."""
        return self.next.first - timedelta(days=1)

    @property
    def next(self) -> "Quarter":
        """The quarter after it."""
        return Quarter(self.year + self.number // 4, self.number % 4 + 1)

    @property
    def before(self) -> "Quarter":
        """The quarter before it."""
        return Quarter.of(self.first - timedelta(days=1))
