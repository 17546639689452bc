"""Exact counts of an indicator, before disclosure control, from the rows of its statement."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from esante.services.bulletin.model import Aggregation, Indicator


class ExactCount(NamedTuple):
    """A cell before its protection.

    `key` is the cell key, the sum of the units' keys (0 where no noise is added); `largest` the contribution of the
    largest establishment, and `contributors` the number of establishments (-1: not known for the indicator).
    """

    breakdown: str
    value_of: str
    value: int | None
    key: int = 0
    largest: int = 0
    contributors: int = -1
    rows: int = 0
    """The number of rows that a count, median or sum is made of."""


def exact_counts(indicator: Indicator, rows: Iterable[Sequence[Any]]) -> list[ExactCount]:
    """Return the cells from the rows of an indicator's statement, the total first; a total is there even when 0.

    Rows: (breakdown, value_of, value, cell_key, largest, contributors, amount).
    """
    if indicator.measure is Aggregation.MEDIAN:
        found = _medians(rows)
    elif indicator.measure is Aggregation.SUM:
        found = [ExactCount(row[0], row[1], int(row[2] or 0), rows=int(row[6])) for row in rows]
    else:
        found = [
            ExactCount(breakdown, value_of, int(count), int(key), int(largest), int(contributors), int(count))
            for breakdown, value_of, count, key, largest, contributors, _ in rows
        ]
    if not any(count.breakdown == "" for count in found):
        found.append(ExactCount("", "", None if indicator.measure is Aggregation.MEDIAN else 0))
    order = {breakdown: number for number, breakdown in enumerate(("", *indicator.breakdowns))}
    return sorted(found, key=lambda count: (order[count.breakdown], count.value_of))


def _medians(rows: Iterable[Sequence[Any]]) -> list[ExactCount]:
    """Return the lower median of each cell from the frequency of each amount."""
    cells: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for breakdown, value_of, frequency, _, _, _, amount in rows:
        cells.setdefault((breakdown, value_of), []).append((int(amount), int(frequency)))
    found = []
    for (breakdown, value_of), amounts in cells.items():
        total, passed = sum(frequency for _, frequency in amounts), 0
        for amount, frequency in sorted(amounts):
            passed += frequency
            if passed * 2 >= total:
                found.append(ExactCount(breakdown, value_of, amount, rows=total))
                break
    return found
