"""Conditional skips: whether a target dose is not needed (CDSi Logic Specification, section 6.2)."""

from bisect import bisect_left
from collections.abc import Collection
from operator import attrgetter

from esante.services.vaccination.forecast.durations import add
from esante.services.vaccination.forecast.engine.person import Given, Person
from esante.services.vaccination.forecast.engine.state import SeriesState
from esante.services.vaccination.forecast.rules.model import Comparison, ConditionKind, Skip, SkipCondition, SkipSet

_place, _day = attrgetter("place"), attrgetter("day")


class SkipContext:
    """What the conditions of a skip may ask: doses before a place of the history, completed series groups.

    `reference`: the day of the dose in an evaluation, of the advice in a forecast, or the earliest date when that is
    checked (CONDSKIP-2). `anchor`: the day on which sets must be in force. `before`: only doses before this place of
    the history count; in an evaluation that of the dose under evaluation, which does not count itself.
    """

    __slots__ = ("anchor", "before", "completed", "person", "reference", "state")

    def __init__(
        self,
        person: Person,
        state: SeriesState,
        completed: Collection[str],
        reference: int,
        anchor: int,
        before: int | None = None,
    ) -> None:
        self.person, self.state, self.completed = person, state, completed
        self.reference, self.anchor = reference, anchor
        self.before = len(person.history) if before is None else before

    def skip_rule(self, skips: tuple[Skip, ...]) -> str | None:
        """Return the rule by which a target dose is skipped, or None."""
        for skip in skips:
            sets = [one for one in skip.sets if one.effective <= self.anchor <= one.cessation]
            met = [one for one in sets if self._set_is_met(one)]
            if met and (not skip.every or len(met) == len(sets)):
                return met[0].rule
        return None

    def _set_is_met(self, one: SkipSet) -> bool:
        quantifier = all if one.every else any
        return quantifier(self._is_met(condition) for condition in one.conditions)

    def _is_met(self, condition: SkipCondition) -> bool:
        kind = condition.kind
        if kind is ConditionKind.AGE:
            ages = self.person.ages
            return ages[condition.begin] <= self.reference < ages.until(condition.end)
        if kind is ConditionKind.INTERVAL:
            previous = self._previous()
            return previous is not None and self.reference >= add(previous.day, condition.interval)
        if kind is ConditionKind.COMPLETED_SERIES:
            return condition.series_group in self.completed
        return self._compare(condition)

    def _previous(self) -> Given | None:
        """Return the last dose of the antigen before the place, whatever it counts for (CALCDTSKIP-5)."""
        doses = self.state.doses
        place = bisect_left(doses, self.before, key=_place)
        return doses[place - 1] if place else None

    def _compare(self, condition: SkipCondition) -> bool:
        wanted = condition.count
        counted = self._count(condition, wanted + 1)
        if condition.comparison is Comparison.GREATER:
            return counted > wanted
        return counted == wanted if condition.comparison is Comparison.EQUAL else counted < wanted

    def _count(self, condition: SkipCondition, most: int) -> int:
        """Return how many doses count (CONDSKIP-1), or `most` when there are more.

        A list of vaccines is about the whole history, no list about the doses of the antigen; Valid doses are those of
        this series.
        """
        ages = self.person.ages
        first = max(ages[condition.begin], condition.start_date)
        end = min(ages.until(condition.end), condition.end_date)
        found = 0
        if condition.valid_only:
            doses = self.state.valid
        else:
            doses = self.person.history if condition.vaccines else self.state.doses
        for place in range(bisect_left(doses, first, key=_day), len(doses)):
            given = doses[place]
            if given.place >= self.before or given.day >= end or found == most:
                break
            found += not condition.vaccines or given.cvx in condition.vaccines
        return found
