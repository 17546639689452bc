"""Hits of one group of a correlation within its timespan: bounded, in the order of their times."""

import math
import statistics
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from esante.services.soc.rules.model import Correlation, most_entries
from esante.services.soc.scalars import number_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A hit: time in seconds, key of the rule, the values that the correlation looks at, what the caller calls it."""

    time: float
    rule: str
    values: tuple[str, ...]
    reference: object


class Window:
    """The hits of a group."""

    def __init__(self, correlation: Correlation) -> None:
        self._correlation, self._most = correlation, most_entries(correlation.type)
        self.entries: list[Entry] = []
        self._distinct: Counter[tuple[str, ...]] = Counter()

    def add(self, entry: Entry) -> None:
        """Add a hit, and remove those that are older than the timespan before the newest."""
        if self.entries and entry.time < self.entries[-1].time:
            insort(self.entries, entry, key=lambda one: one.time)
        else:
            self.entries.append(entry)
        self._distinct[entry.values] += 1
        start = self.entries[-1].time - self._correlation.timespan
        gone = next(number for number, one in enumerate(self.entries) if one.time >= start)
        self._forget(max(gone, len(self.entries) - self._most))

    def _forget(self, count: int) -> None:
        for one in self.entries[:count]:
            self._distinct[one.values] -= 1
            if not self._distinct[one.values]:
                del self._distinct[one.values]
        del self.entries[:count]

    def measure(self) -> float:
        """Return what the thresholds are compared with; not a number when there is nothing to measure."""
        match self._correlation.type:
            case "event_count":
                return float(len(self.entries))
            case "value_count":
                return float(len(self._distinct))
        numbers = [number for one in self.entries for value in one.values if (number := number_of(value)) is not None]
        return self._aggregate(numbers) if numbers else math.nan

    def _aggregate(self, numbers: list[float]) -> float:
        match self._correlation.type:
            case "value_sum":
                return math.fsum(numbers)
            case "value_avg":
                return math.fsum(numbers) / len(numbers)
            case "value_median":
                return statistics.median(numbers)
        return percentile(numbers, self._correlation.percentile)

    def sequence(self, rules: Sequence[str]) -> list[Entry] | None:
        """Return hits of the rules in their order, the latest that there are; None when they did not come so."""
        chains: list[list[Entry] | None] = [None] * len(rules)
        for one in self.entries:
            for number in reversed(range(len(rules))):
                if rules[number] == one.rule:
                    before = chains[number - 1] if number else []
                    if before is not None:
                        chains[number] = [*before, one]
        return chains[-1]

    def latest(self) -> dict[str, Entry]:
        """Return the latest hit of each rule."""
        return {one.rule: one for one in self.entries}


def percentile(numbers: Sequence[float], percent: float) -> float:
    """Return the percentile of numbers, by the nearest rank."""
    ordered = sorted(numbers)
    return ordered[max(math.ceil(percent / 100 * len(ordered)) - 1, 0)]
