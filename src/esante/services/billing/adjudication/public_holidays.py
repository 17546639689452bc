"""The public holidays of Luxembourg (Code du travail, art. L. 232-2), by the library `holidays`."""

from datetime import date
from functools import lru_cache


def is_public_holiday(day: date) -> bool:
    """Return whether a day is a public holiday by law."""
    return day in _holidays(day.year)


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    from holidays.countries.luxembourg import Luxembourg  # takes half a second to import

    return frozenset(Luxembourg(years=year))  # type: ignore[no-untyped-call]
