"""The attacker: what somebody can make of hidden cells from everything that is published, solved exactly.

Every cell of every table, month and vintage is an unknown. What is published bounds it; tables that add up, what
binds one month to the next, and vintages of one month bind unknowns to each other. For each guarded cell the
least and the greatest value that fit are found by a linear programme (HiGHS). He is stronger than anybody outside:
he is told of each relation that happens to hold.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Any

from esante.services.bulletin.compilation.indicator_spec import Relation, Rule
from esante.services.bulletin.model import Cell, Flag, Guarded, Indicator, IndicatorKind, Measure

Key = tuple[str, int, str, str, str]
"""An unknown: period, number of the vintage, indicator, breakdown, part."""
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True)
class Month:
    """The guarded cells of one vintage, and the rule that protects them."""

    period: str
    number: int
    cells: Sequence[Guarded]
    rule: Rule


@dataclass(frozen=True, slots=True)
class Exposed:
    """A guarded cell that can be told too well: the attacker's interval, and how wide it should be."""

    key: Key
    low: float
    high: float
    need: float


@dataclass(frozen=True, slots=True)
class Equation:
    """The sum of `terms` is 0, or with `at_most` at most 0."""

    terms: Mapping[Key, float]
    at_most: bool = False


class System:
    """All unknowns and all that binds them."""

    def __init__(
        self, months: Iterable[Month], indicators: Mapping[str, Indicator], relations: Iterable[Relation]
    ) -> None:
        self._months = sorted(months, key=lambda month: (month.period, month.number))
        self._bounds: dict[Key, tuple[float, float]] = {}
        self._exact: dict[Key, float] = {}
        self._need: dict[Key, float] = {}
        for month in self._months:
            self._know(month, indicators)
        held = [*self._tables(indicators), *self._between(relations), *self._vintages(indicators)]
        self.equations = [equation for equation in held if self._true(equation)]

    def exposed(self, only: tuple[str, int] | None = None) -> list[Exposed]:
        """The guarded cells, of all vintages or of `only` one (period, number), that can be told too well."""
        found = []
        for unknowns, equations in self._components():
            wanted = [key for key in unknowns if self._need[key] > 0 and only in (None, key[:2])]
            if wanted:
                solver = _Solver(unknowns, equations, self._bounds)
                for key in wanted:
                    if solver.seen(key) >= self._need[key]:
                        continue
                    low, high = solver.interval(key)
                    if high - low < self._need[key]:
                        found.append(Exposed(key, low, high, self._need[key]))
        return found

    def _know(self, month: Month, indicators: Mapping[str, Indicator]) -> None:
        for guarded in month.cells:
            cell = guarded.cell
            if guarded.exact is None or indicators[cell.indicator].measure not in (Measure.ROWS, Measure.UNITS):
                continue
            key = (month.period, month.number, *cell.place)
            self._exact[key], self._need[key] = guarded.exact, guarded.need
            self._bounds[key] = _bounds(cell, month.rule)

    def _tables(self, indicators: Mapping[str, Indicator]) -> Iterator[Equation]:
        """Rows add up to their total; of units, none has more than all have, and all not more than the sum."""
        tables: defaultdict[tuple[Key, str], list[Key]] = defaultdict(list)
        for key in self._exact:
            period, number, indicator, breakdown, _ = key
            if breakdown and (total := (period, number, indicator, "", "")) in self._exact:
                tables[total, breakdown].append(key)
        for (total, _), parts in tables.items():
            if indicators[total[2]].measure is Measure.ROWS:
                yield Equation({total: -1.0} | dict.fromkeys(parts, 1.0))
            else:
                yield Equation({total: 1.0} | dict.fromkeys(parts, -1.0), at_most=True)
                yield from (Equation({part: 1.0, total: -1.0}, at_most=True) for part in parts)

    def _between(self, relations: Iterable[Relation]) -> Iterator[Equation]:
        """What binds totals of a month, and of the month before, to each other."""
        latest = {month.period: month.number for month in self._months}
        before = dict(zip(list(latest)[1:], latest, strict=False))
        for relation in relations:
            for period in latest:
                terms: dict[Key, float] = {}
                for name, factor in relation.sum.items():
                    indicator, _, lag = name.partition("@")
                    at = before.get(period, "") if lag else period
                    terms[at, latest.get(at, 0), indicator, "", ""] = factor
                if all(key in self._exact for key in terms):
                    yield Equation(terms, relation.at_most)

    def _vintages(self, indicators: Mapping[str, Indicator]) -> Iterator[Equation]:
        """A later vintage of a month holds what the one before it holds, and what came late."""
        for key in self._exact:
            period, number, indicator, *place = key
            later = (period, number + 1, indicator, *place)
            if indicators[indicator].kind is IndicatorKind.FLOW and later in self._exact:
                yield Equation({key: 1.0, later: -1.0}, at_most=True)

    def _true(self, equation: Equation) -> bool:
        total = sum(factor * self._exact[key] for key, factor in equation.terms.items())
        return total <= _CLOSE if equation.at_most else abs(total) <= _CLOSE

    def _components(self) -> Iterator[tuple[list[Key], list[Equation]]]:
        """Unknowns that hang together, with their equations; what is published exactly binds nothing."""
        parent = {key: key for key, (low, high) in self._bounds.items() if low < high}

        def root(key: Key) -> Key:
            while parent[key] != key:
                parent[key] = key = parent[parent[key]]
            return key

        for equation in self.equations:
            open_ = [key for key in equation.terms if key in parent]
            for key in open_[1:]:
                parent[root(key)] = root(open_[0])
        unknowns: defaultdict[Key, list[Key]] = defaultdict(list)
        for key in parent:
            unknowns[root(key)].append(key)
        equations: defaultdict[Key, list[Equation]] = defaultdict(list)
        for equation in self.equations:
            for key in equation.terms:
                if key in parent:
                    equations[root(key)].append(equation)
                    break
        # A guarded cell that is published as it is needs no solving to be found out.
        for key, (low, high) in self._bounds.items():
            if low == high and self._need[key] > 0:
                yield [key], []
        yield from ((found, equations[key]) for key, found in unknowns.items())


class _Solver:
    """The linear programme of one component."""

    def __init__(
        self, unknowns: Sequence[Key], equations: Sequence[Equation], bounds: Mapping[Key, tuple[float, float]]
    ) -> None:
        import numpy as np

        self._bounds, self._only = bounds, equations[0] if len(equations) == 1 else None
        self._place = {key: place for place, key in enumerate(unknowns)}
        self._own = [bounds[key] for key in unknowns]
        rows: dict[bool, list[Any]] = {False: [], True: []}
        sides: dict[bool, list[float]] = {False: [], True: []}
        for equation in equations:
            row, side = np.zeros(len(unknowns)), 0.0
            for key, factor in equation.terms.items():
                if key in self._place:
                    row[self._place[key]] += factor
                else:
                    side -= factor * bounds[key][0]
            rows[equation.at_most].append(row)
            sides[equation.at_most].append(side)
        self._matrices = {
            f"{'Ab'[side]}_{name}": (np.array(values) if values else None)
            for name, at_most in (("ub", True), ("eq", False))
            for side, values in enumerate((rows[at_most], sides[at_most]))
        }
        self._least, self._most = np.full(len(unknowns), inf), np.full(len(unknowns), -inf)

    def seen(self, key: Key) -> float:
        """How wide the interval of a cell is at least, from what other cells' solutions gave it; needs no solving."""
        place = self._place[key]
        low, high = self._least[place], self._most[place]
        return floor(high + _CLOSE) - ceil(low - _CLOSE) if low <= high else 0.0

    def interval(self, key: Key) -> tuple[float, float]:
        """The least and the greatest whole number that a cell can be."""
        own = self._own[self._place[key]]
        if self._matrices["A_ub"] is None and self._matrices["A_eq"] is None:
            return own
        if self._only is not None:
            low, high = _by_one(self._only, key, self._bounds)
        else:
            low, high = self._extreme(key, 1.0), self._extreme(key, -1.0)
        return ceil(low - _CLOSE), inf if high == inf else floor(high + _CLOSE)

    def _extreme(self, key: Key, sense: float) -> float:
        import numpy as np
        from scipy.optimize import linprog

        cost = [0.0] * len(self._place)
        cost[self._place[key]] = sense
        solved = linprog(cost, bounds=self._own, method="highs", **self._matrices)
        if solved.status in (2, 4):
            # The exact values fit, so there is a solution; HiGHS' presolve takes some unbounded ones for impossible.
            solved = linprog(cost, bounds=self._own, method="highs", options={"presolve": False}, **self._matrices)
        if solved.status == 3:
            return sense * -inf
        if solved.status != 0:
            raise RuntimeError(f"the attack on {key} was not solved: {solved.message}")
        np.minimum(self._least, solved.x, out=self._least)
        np.maximum(self._most, solved.x, out=self._most)
        return float(solved.fun * sense)


def _by_one(equation: Equation, key: Key, bounds: Mapping[Key, tuple[float, float]]) -> tuple[float, float]:
    """The least and the greatest value of an unknown that one equation binds: what the others leave it."""
    ends = [
        sorted(factor * bound for bound in bounds[other]) for other, factor in equation.terms.items() if other != key
    ]
    factor, (low, high) = equation.terms[key], bounds[key]
    most = -sum(least for least, _ in ends) / factor
    least = (-inf if equation.at_most else -sum(greatest for _, greatest in ends)) / factor
    least, most = min(least, most), max(least, most)
    return max(low, least), min(high, most)


def _bounds(cell: Cell, rule: Rule) -> tuple[float, float]:
    """What a published cell says of its exact value; a hidden cell is not 0, since a 0 is never hidden."""
    if cell.flag is Flag.SUPPRESSED or cell.value is None:
        return 1.0, inf
    if cell.flag is Flag.PLAIN:
        return cell.value, cell.value
    if cell.value == 0:
        return 0.0, float(rule.noise)
    return max(1.0, cell.value - rule.noise, ceil(cell.value / 2)), cell.value + rule.noise
