"""Arithmetic of days: adding years, months, weeks and days to a day (CDSi Logic Specification, section 3.4).

Days are proleptic ordinals (`date.toordinal()`), so that comparing and adding days costs next to nothing.
"""

import re
from datetime import date
from typing import NamedTuple

FIRST_DAY = date(1900, 1, 1).toordinal()
LAST_DAY = date(2999, 12, 31).toordinal()
"""What stands for an absent lower and upper bound (tables "Assumed value if empty" of the specification)."""

_TERM = re.compile(r"(?P<sign>[+-])?\s*(?P<amount>\d{1,5})\s*(?P<unit>day|week|month|year)s?\s*", re.IGNORECASE)
_MONTHS = {"month": 1, "year": 12}
_DAYS = {"day": 1, "week": 7}
_LONGEST = 200
"""Years; longer durations are errors of typing."""


class Duration(NamedTuple):
    """An amount of calendar months and of days; both may be negative."""

    months: int = 0
    days: int = 0


NOTHING = Duration()


def parse_duration(text: str) -> Duration:
    """Return the duration of a text such as "12 months - 4 days".

    Raises: ValueError when the text is no duration, or one of more than 200 years.
    """
    place, months, days = 0, 0, 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None or (place > 0) != (term["sign"] is not None):
            raise ValueError(f'"{text}" is no duration such as "6 months" or "12 months - 4 days"')
        amount = int(term["amount"]) * (-1 if term["sign"] == "-" else 1)
        unit = term["unit"].lower()
        months += amount * _MONTHS.get(unit, 0)
        days += amount * _DAYS.get(unit, 0)
        place = term.end()
    if not text or abs(months) > _LONGEST * 12 or abs(days) > _LONGEST * 366:
        raise ValueError(f'"{text}" is empty or longer than {_LONGEST} years')
    return Duration(months, days)


def add(day: int, duration: Duration) -> int:
    """Return the day after a duration: first the months, then the days.

    A day that does not exist becomes the first of the next month: 31 August + 6 months = 1 March (CALCDT-5).
    """
    months, days = duration
    if not months:
        return day + days
    start = date.fromordinal(day)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    try:
        return date(year, month + 1, start.day).toordinal() + days
    except ValueError:
        return date(year, month + 2, 1).toordinal() + days


class Ages(dict[Duration | None, int]):
    """The days on which a person reaches ages, computed once each. None, an absent lower bound: the first day."""

    def __init__(self, birth: int) -> None:
        super().__init__({None: FIRST_DAY})
        self._birth = birth

    def __missing__(self, age: Duration) -> int:
        day = self[age] = add(self._birth, age)
        return day

    def until(self, age: Duration | None) -> int:
        """Return the day on which an age is reached; the last day for an absent upper bound."""
        return LAST_DAY if age is None else self[age]


def as_date(day: int | None) -> date | None:
    """Return the date of a day."""
    return None if day is None else date.fromordinal(day)
