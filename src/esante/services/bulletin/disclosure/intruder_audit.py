"""Disclosure audit: an intruder's bounds on protected cells by linear programming, from everything that is published.

Every cell of every table, month and vintage is an unknown. Its published value bounds it; additive tables, relations
between months and vintages of one month constrain unknowns together. For each protected cell the least and the
greatest feasible value are found by a linear programme (HiGHS). The intruder of the audit knows more than anybody
outside: every constraint that happens to hold.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Any

from esante.core.disclosure import DisclosureRule
from esante.services.bulletin.compilation.indicator_spec import LinearRelation
from esante.services.bulletin.model import Aggregation, Cell, CellFlag, Indicator, IndicatorKind, ProtectedCell

Unknown = tuple[str, int, str, str, str]
"""A cell of a vintage: period, number of the vintage, indicator, breakdown, category."""
_TOLERANCE = 1e-6


class AuditUnsolved(RuntimeError):
    """The solver gave no bound for a cell, so the audit cannot say whether the cell is disclosed."""


@dataclass(frozen=True, slots=True)
class AuditedVintage:
    """The protected cells of one vintage, and the rule that they are protected by."""

    period: str
    number: int
    cells: Sequence[ProtectedCell]
    rule: DisclosureRule


@dataclass(frozen=True, slots=True)
class DisclosedCell:
    """A protected cell whose feasibility interval from `low` to `high` is narrower than the required width."""

    key: Unknown
    low: float
    high: float
    required_width: float


@dataclass(frozen=True, slots=True)
class LinearConstraint:
    """A weighted sum of unknowns that is 0, or with `at_most` at most 0."""

    terms: Mapping[Unknown, float]
    at_most: bool = False


class IntruderAudit:
    """The unknowns of all vintages and the constraints that hold between them."""

    def __init__(
        self,
        vintages: Iterable[AuditedVintage],
        indicators: Mapping[str, Indicator],
        relations: Iterable[LinearRelation],
    ) -> None:
        self._vintages = sorted(vintages, key=lambda vintage: (vintage.period, vintage.number))
        self._bounds: dict[Unknown, tuple[float, float]] = {}
        self._exact: dict[Unknown, float] = {}
        self._required_width: dict[Unknown, float] = {}
        for vintage in self._vintages:
            self._add_unknowns(vintage, indicators)
        constraints = [
            *self._table_constraints(indicators),
            *self._relation_constraints(relations),
            *self._vintage_constraints(indicators),
        ]
        self.constraints = [constraint for constraint in constraints if self._holds(constraint)]

    def find_disclosed_cells(self, only: tuple[str, int] | None = None) -> list[DisclosedCell]:
        """Return the disclosed cells of all vintages, or of one vintage (period, number).

        Raises: AuditUnsolved when the solver fails.
        """
        found = []
        for unknowns, constraints in self._components():
            audited = [key for key in unknowns if self._required_width[key] > 0 and only in (None, key[:2])]
            if audited:
                component = _Component(unknowns, constraints, self._bounds)
                for key in audited:
                    required_width = self._required_width[key]
                    if component.known_width(key) >= required_width:
                        continue
                    low, high = component.feasibility_interval(key)
                    if high - low < required_width:
                        found.append(DisclosedCell(key, low, high, required_width))
        return found

    def _add_unknowns(self, vintage: AuditedVintage, indicators: Mapping[str, Indicator]) -> None:
        for cell, exact, required_width in vintage.cells:
            measure = indicators[cell.indicator].measure
            if exact is None or measure not in (Aggregation.ROWS, Aggregation.UNITS):
                continue
            key = (vintage.period, vintage.number, *cell.series_key)
            self._exact[key], self._required_width[key] = exact, required_width
            self._bounds[key] = _published_bounds(cell, vintage.rule)

    def _table_constraints(self, indicators: Mapping[str, Indicator]) -> Iterator[LinearConstraint]:
        """Yield the constraints within tables.

        Rows add up to their total. Of units, no category exceeds the total, and the total does not exceed their sum.
        """
        tables: defaultdict[tuple[Unknown, str], list[Unknown]] = defaultdict(list)
        for key in self._exact:
            period, number, indicator, breakdown, _ = key
            if breakdown and (total := (period, number, indicator, "", "")) in self._exact:
                tables[total, breakdown].append(key)
        for (total, _), parts in tables.items():
            if indicators[total[2]].measure is Aggregation.ROWS:
                yield LinearConstraint({total: -1.0} | dict.fromkeys(parts, 1.0))
            else:
                yield LinearConstraint({total: 1.0} | dict.fromkeys(parts, -1.0), at_most=True)
                yield from (LinearConstraint({part: 1.0, total: -1.0}, at_most=True) for part in parts)

    def _relation_constraints(self, relations: Iterable[LinearRelation]) -> Iterator[LinearConstraint]:
        """Yield the declared relations in each month, and those of totals within categories."""
        latest = {vintage.period: vintage.number for vintage in self._vintages}
        before = dict(zip(list(latest)[1:], latest, strict=False))
        tables = self._keys_of_tables()
        for relation in relations:
            of_one_month = not any(lag or series[1] for series, lag, _ in relation.terms)
            for period, number in latest.items():
                terms: dict[Unknown, float] = {}
                for series, lag, factor in relation.terms:
                    at = before.get(period, "") if lag else period
                    terms[at, latest.get(at, 0), *series] = factor
                if all((*key[:3], "", "") in self._exact for key in terms):
                    known = {key: factor for key, factor in terms.items() if key in self._exact}
                    yield LinearConstraint(known, relation.at_most)  # a category without a cell is 0
                if of_one_month:
                    members = {(period, number, series[0]): float(factor) for series, _, factor in relation.terms}
                    yield from _relation_in_categories(members, relation.at_most, tables)

    def _keys_of_tables(self) -> Mapping[tuple[str, int, str], Sequence[Unknown]]:
        """Return the cells of categories of each indicator, by period, vintage and indicator."""
        found: defaultdict[tuple[str, int, str], list[Unknown]] = defaultdict(list)
        for key in self._exact:
            if key[3]:
                found[key[:3]].append(key)
        return found

    def _vintage_constraints(self, indicators: Mapping[str, Indicator]) -> Iterator[LinearConstraint]:
        """Yield that a flow of a later vintage is at least that of the vintage before: late events only add."""
        for key in self._exact:
            period, number, indicator, *rest = key
            later = (period, number + 1, indicator, *rest)
            if indicators[indicator].kind is IndicatorKind.FLOW and later in self._exact:
                yield LinearConstraint({key: 1.0, later: -1.0}, at_most=True)

    def _holds(self, constraint: LinearConstraint) -> bool:
        total = sum(factor * self._exact[key] for key, factor in constraint.terms.items())
        return total <= _TOLERANCE if constraint.at_most else abs(total) <= _TOLERANCE

    def _components(self) -> Iterator[tuple[list[Unknown], list[LinearConstraint]]]:
        """Yield connected unknowns with their constraints; cells that are published exactly connect nothing."""
        parent = {key: key for key, (low, high) in self._bounds.items() if low < high}

        def root(key: Unknown) -> Unknown:
            while parent[key] != key:
                parent[key] = key = parent[parent[key]]
            return key

        for constraint in self.constraints:
            open_ = [key for key in constraint.terms if key in parent]
            for key in open_[1:]:
                parent[root(key)] = root(open_[0])
        unknowns: defaultdict[Unknown, list[Unknown]] = defaultdict(list)
        for key in parent:
            unknowns[root(key)].append(key)
        constraints: defaultdict[Unknown, list[LinearConstraint]] = defaultdict(list)
        for constraint in self.constraints:
            for key in constraint.terms:
                if key in parent:
                    constraints[root(key)].append(constraint)
                    break
        # A protected cell that is published exactly is disclosed without solving anything.
        for key, (low, high) in self._bounds.items():
            if low == high and self._required_width[key] > 0:
                yield [key], []
        yield from ((found, constraints[key]) for key, found in unknowns.items())


def _relation_in_categories(
    members: Mapping[tuple[str, int, str], float],
    at_most: bool,
    tables: Mapping[tuple[str, int, str], Sequence[Unknown]],
) -> Iterator[LinearConstraint]:
    """Yield a relation for each category of the breakdowns that all its members have; an absent category is 0."""
    found: defaultdict[tuple[str, str], dict[Unknown, float]] = defaultdict(dict)
    having: defaultdict[str, set[str]] = defaultdict(set)
    for member, factor in members.items():
        for key in tables.get(member, ()):
            found[key[3], key[4]][key] = factor
            having[key[3]].add(key[2])
    for (breakdown, _), terms in found.items():
        if len(having[breakdown]) == len(members):
            yield LinearConstraint(terms, at_most)


class _Component:
    """The linear programme of one component."""

    def __init__(
        self,
        unknowns: Sequence[Unknown],
        constraints: Sequence[LinearConstraint],
        bounds: Mapping[Unknown, tuple[float, float]],
    ) -> None:
        import numpy as np

        self._bounds, self._only = bounds, constraints[0] if len(constraints) == 1 else None
        self._column = {key: column for column, key in enumerate(unknowns)}
        self._own = [bounds[key] for key in unknowns]
        rows: dict[bool, list[Any]] = {False: [], True: []}
        sides: dict[bool, list[float]] = {False: [], True: []}
        for constraint in constraints:
            row, side = np.zeros(len(unknowns)), 0.0
            for key, factor in constraint.terms.items():
                if key in self._column:
                    row[self._column[key]] += factor
                else:
                    side -= factor * bounds[key][0]
            rows[constraint.at_most].append(row)
            sides[constraint.at_most].append(side)
        self._matrices = {
            f"{'Ab'[side]}_{name}": (np.array(values) if values else None)
            for name, at_most in (("ub", True), ("eq", False))
            for side, values in enumerate((rows[at_most], sides[at_most]))
        }
        self._least, self._most = np.full(len(unknowns), inf), np.full(len(unknowns), -inf)

    def known_width(self, key: Unknown) -> float:
        """Return a lower bound of the interval's width, from the solutions for other cells; nothing is solved."""
        column = self._column[key]
        low, high = self._least[column], self._most[column]
        return floor(high + _TOLERANCE) - ceil(low - _TOLERANCE) if low <= high else 0.0

    def feasibility_interval(self, key: Unknown) -> tuple[float, float]:
        """Return the least and the greatest integer that a cell can be. Raises: AuditUnsolved when a solve fails."""
        own = self._own[self._column[key]]
        if self._matrices["A_ub"] is None and self._matrices["A_eq"] is None:
            return own
        if self._only is not None:
            low, high = _interval_by_one(self._only, key, self._bounds)
        else:
            low, high = self._solve(key, 1.0), self._solve(key, -1.0)
        return ceil(low - _TOLERANCE), inf if high == inf else floor(high + _TOLERANCE)

    def _solve(self, key: Unknown, sense: float) -> float:
        """Return the least (`sense` 1) or greatest (-1) feasible value of a cell."""
        import numpy as np
        from scipy.optimize import linprog

        cost = [0.0] * len(self._column)
        cost[self._column[key]] = sense
        solved = linprog(cost, bounds=self._own, method="highs", **self._matrices)
        if solved.status in (2, 4):
            # The exact values are a solution; HiGHS' presolve takes some unbounded programmes for infeasible ones.
            solved = linprog(cost, bounds=self._own, method="highs", options={"presolve": False}, **self._matrices)
        if solved.status == 3:
            return sense * -inf
        if solved.status != 0:
            raise AuditUnsolved(f"the intruder audit found no bound of {key}: {solved.message}")
        np.minimum(self._least, solved.x, out=self._least)
        np.maximum(self._most, solved.x, out=self._most)
        return float(solved.fun * sense)


def _interval_by_one(
    constraint: LinearConstraint, key: Unknown, bounds: Mapping[Unknown, tuple[float, float]]
) -> tuple[float, float]:
    """Return the interval of an unknown that one constraint binds: what the bounds of the others leave."""
    ends = [
        sorted(factor * bound for bound in bounds[other]) for other, factor in constraint.terms.items() if other != key
    ]
    factor, (low, high) = constraint.terms[key], bounds[key]
    most = -sum(least for least, _ in ends) / factor
    least = (-inf if constraint.at_most else -sum(greatest for _, greatest in ends)) / factor
    least, most = min(least, most), max(least, most)
    return max(low, least), min(high, most)


def _published_bounds(cell: Cell, rule: DisclosureRule) -> tuple[float, float]:
    """Return the bounds of the exact value by the published one; a suppressed cell is not 0, as 0 is never hidden."""
    if cell.flag is CellFlag.SUPPRESSED or cell.value is None:
        return 1.0, inf
    if cell.flag is CellFlag.PLAIN:
        return cell.value, cell.value
    if cell.value == 0:
        return 0.0, float(rule.noise)
    return max(1.0, cell.value - rule.noise, ceil(cell.value / 2)), cell.value + rule.noise
