"""Evaluation: what each dose counts for in a series (CDSi Logic Specification, section 4.4 and chapter 6)."""

from collections.abc import Collection

from esante.services.vaccination.forecast.durations import add
from esante.services.vaccination.forecast.engine.person import Given, Person
from esante.services.vaccination.forecast.engine.skips import SkipContext
from esante.services.vaccination.forecast.engine.state import Outcome, SeriesState
from esante.services.vaccination.forecast.model import EvaluationStatus, Reason
from esante.services.vaccination.forecast.rules import logic
from esante.services.vaccination.forecast.rules.model import (
    AgeRow,
    Conflict,
    IntervalRow,
    RuleSet,
    Series,
    TargetDose,
    VaccineRow,
    in_force,
)

_VALID, _NOT_VALID = EvaluationStatus.VALID, EvaluationStatus.NOT_VALID
_EXTRANEOUS, _SUB_STANDARD = EvaluationStatus.EXTRANEOUS, EvaluationStatus.SUB_STANDARD


def evaluate(series: Series, person: Person, rules: RuleSet, completed: Collection[str]) -> SeriesState:
    """Return a series with every dose of its antigen compared with its target doses.

    `completed`: the groups of series of the antigen in which a series is complete.
    """
    state = SeriesState(series, person.by_antigen.get(series.antigen, []))
    for given in state.doses:
        target = state.target
        while target is not None and target.evaluation_skips and not given.unfit:
            context = SkipContext(person, state, completed, given.day, given.day, given.place)
            rule = context.skip_rule(target.evaluation_skips)
            if rule is None:
                break
            state.skip(rule)
            target = state.target
        if target is None:
            state.note(Outcome(given, _EXTRANEOUS, Reason.COMPLETE, logic.EXTRANEOUS, None))
        else:
            state.note(_Comparison(given, target, person, state, rules).outcome())
    return state


class _Comparison:
    """A dose against a target dose."""

    __slots__ = ("given", "person", "rules", "state", "target")

    def __init__(self, given: Given, target: TargetDose, person: Person, state: SeriesState, rules: RuleSet) -> None:
        self.given, self.target, self.person, self.state, self.rules = given, target, person, state, rules

    def outcome(self) -> Outcome:
        """Return what the dose counts for: the first check that it fails decides (sections 6.1 to 6.10)."""
        given, target = self.given, self.target
        if given.unfit:
            return self._make(_SUB_STANDARD, given.unfit, logic.CONDITION)
        if given.cvx in target.inadvertent:
            return self._make(_NOT_VALID, Reason.INADVERTENT, logic.INADVERTENT)
        age = target.age_on(given.day)
        if age is not None and given.day < self.person.ages[age.absolute_minimum]:
            return self._make(_NOT_VALID, Reason.TOO_YOUNG, age.rule)
        if age is not None and given.day >= self.person.ages.until(age.maximum):
            return self._make(_EXTRANEOUS, Reason.TOO_OLD, age.rule)
        interval = self._short_interval()
        if interval is not None:
            return self._make(_NOT_VALID, Reason.TOO_SOON, interval)
        conflict = self._conflict()
        if conflict is not None:
            return self._make(_NOT_VALID, Reason.CONFLICT, conflict.rule)
        row, remark = self._vaccine()
        if row is None:
            return self._make(_NOT_VALID, Reason.VACCINE, logic.VACCINE)
        return self._make(_VALID, self._grace(age) or remark, row.rule)

    def _make(self, status: EvaluationStatus, reason: Reason | None, rule: str) -> Outcome:
        return Outcome(self.given, status, reason, rule, self.target.number)

    def _short_interval(self) -> str | None:
        """Return the rule of an interval that is too short, or None (sections 6.5 and 6.6).

        When a preferable interval is too short, all allowable intervals together may take their place.
        """
        failed = self._first_short(in_force(self.target.intervals, self.given.day))
        if failed is None:
            return None
        allowable = in_force(self.target.allowable_intervals, self.given.day)
        return failed if not allowable or self._first_short(allowable) else None

    def _first_short(self, rows: list[IntervalRow]) -> str | None:
        for row in rows:
            if row.absolute_minimum is not None:
                reference = self._reference_day(row)
                if reference is not None and self.given.day < add(reference, row.absolute_minimum):
                    return row.rule
        return None

    def _reference_day(self, row: IntervalRow) -> int | None:
        return self.state.reference_day(row, self.person, self.given.place)

    def _conflict(self) -> Conflict | None:
        """Return the conflict with an earlier dose of the whole history that the dose falls into (section 6.7).

        The conflict ends earlier when the earlier dose is valid, or was not evaluated in this series.
        """
        conflicts = self.rules.conflicts.get(self.given.cvx)
        if not conflicts:
            return None
        history, day = self.person.history, self.given.day
        longest = max(conflict.end.days + 31 * conflict.end.months for conflict in conflicts.values())
        for place in range(self.person.first_on_or_after(day - longest), self.given.place):
            before = history[place]
            conflict = conflicts.get(before.cvx)
            if conflict is not None and add(before.day, conflict.begin) <= day:
                end = conflict.end if place in self.state.failed else conflict.minimum_end
                if day < add(before.day, end):
                    return conflict
        return None

    def _vaccine(self) -> tuple[VaccineRow | None, Reason | None]:
        """Return the row that allows the vaccine, preferable ones first, and a remark (sections 6.8 and 6.9)."""
        cvx = self.given.cvx
        for row in self.target.preferable:
            if row.cvx == cvx and self._is_of_age(row) and _is_product(row, self.given):
                volume = self.given.dose.volume
                less = volume is not None and row.volume is not None and volume < row.volume
                return row, Reason.VOLUME if less else None
        for row in self.target.allowable:
            if row.cvx == cvx and self._is_of_age(row):
                return row, None
        return None, None

    def _is_of_age(self, row: VaccineRow) -> bool:
        ages = self.person.ages
        return ages[row.begin] <= self.given.day < ages.until(row.end)

    def _grace(self, age: AgeRow | None) -> Reason | None:
        """Return the remark that age or interval were only just long enough."""
        day = self.given.day
        if age is not None and age.minimum is not None and day < self.person.ages[age.minimum]:
            return Reason.GRACE
        for row in in_force(self.target.intervals, day):
            reference = self._reference_day(row) if row.minimum is not None else None
            if reference is not None and row.minimum is not None and day < add(reference, row.minimum):
                return Reason.GRACE
        return None


def _is_product(row: VaccineRow, given: Given) -> bool:
    """Return whether a dose is of the product that a row names, if it names one; the manufacturer stands in for it."""
    if not row.trade_name:
        return True
    same_maker = bool(row.mvx) and given.dose.manufacturer == row.mvx
    return same_maker or given.trade_name == row.trade_name.casefold()
