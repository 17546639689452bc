"""The forecast of one series: its status, and the dates of the next dose (CDSi Logic Specification, chapter 7)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from esante.services.vaccination.forecast.durations import Duration, add
from esante.services.vaccination.forecast.engine.conditions import AntigenConditions, all_contraindicated
from esante.services.vaccination.forecast.engine.person import Person
from esante.services.vaccination.forecast.engine.skips import SkipContext
from esante.services.vaccination.forecast.engine.state import SeriesState
from esante.services.vaccination.forecast.model import SeriesStatus
from esante.services.vaccination.forecast.rules import logic
from esante.services.vaccination.forecast.rules.model import IntervalRow, RuleSet, TargetDose, in_force

Bound = tuple[int, str]
"""A day and the rule that it follows from."""


@dataclass(slots=True)
class SeriesForecast:
    """Where a person stands in a series; days are None where there is none.

    `rules`: the rule of the status and of each date. `priority`: every interval of the target dose has the flag
    (FORECASTPRIORITY-1).
    """

    state: SeriesState
    status: SeriesStatus
    rules: dict[str, str]
    earliest: int | None = None
    recommended: int | None = None
    past_due: int | None = None
    latest: int | None = None
    dose_number: int | None = None
    priority: bool = False
    vaccines: tuple[int, ...] = ()
    suitable: tuple[int, ...] = ()
    texts: list[str] = field(default_factory=list)


class Forecaster:
    """Forecasts of the series of one antigen for one person."""

    __slots__ = ("completed", "conditions", "person", "rules")

    def __init__(
        self, person: Person, rules: RuleSet, conditions: AntigenConditions, completed: Collection[str]
    ) -> None:
        self.person, self.rules, self.conditions, self.completed = person, rules, conditions, completed

    def forecast(self, state: SeriesState) -> SeriesForecast:
        """Return the forecast of an evaluated series, from its first target dose that is not satisfied.

        Each round either ends or skips a target dose, so that none is forecast twice (section 7.6).
        """
        while True:
            self._skip(state, self.person.on)
            excluded = self._excluded(state)
            target = state.target
            if excluded is not None:
                return excluded
            if target is None:
                return self._finished(state)
            earliest = self._earliest(state, target)
            over = self._over(state, target, earliest)
            if over is not None:
                return over
            rule = self._skip_rule(state, target, earliest[0])
            if rule is None:
                return self._dated(state, target, earliest)
            state.skip(rule)

    def _skip(self, state: SeriesState, reference: int) -> None:
        """Skip target doses that are not needed on the day of the advice (section 7.1)."""
        while (target := state.target) is not None:
            rule = self._skip_rule(state, target, reference)
            if rule is None:
                break
            state.skip(rule)

    def _skip_rule(self, state: SeriesState, target: TargetDose, reference: int) -> str | None:
        if not target.forecast_skips:
            return None
        context = SkipContext(self.person, state, self.completed, reference, self.person.on)
        return context.skip_rule(target.forecast_skips)

    def _excluded(self, state: SeriesState) -> SeriesForecast | None:
        """Return the forecast of a person who is immune or contraindicated (table 7-10)."""
        immune = self.conditions.immune
        if immune is not None and not (state.target is None and state.satisfied):
            return SeriesForecast(state, SeriesStatus.IMMUNE, {"status": immune})
        against = self.conditions.contraindicated or all_contraindicated(state.series, self.conditions.vaccines)
        if against is not None:
            return SeriesForecast(state, SeriesStatus.CONTRAINDICATED, {"status": against})
        return None

    def _finished(self, state: SeriesState) -> SeriesForecast:
        """Return the forecast of a series without a target dose that is not satisfied."""
        if state.satisfied:
            return SeriesForecast(state, SeriesStatus.COMPLETE, {"status": logic.COMPLETE})
        rule = state.skip_rules[-1] if state.skip_rules else logic.PAST_HISTORY
        return SeriesForecast(state, SeriesStatus.NOT_RECOMMENDED, {"status": rule})

    def _over(self, state: SeriesState, target: TargetDose, earliest: Bound) -> SeriesForecast | None:
        """Return the forecast of a target dose whose season or age is over, or will be before it can be given."""
        if target.season is not None and self.person.on > target.season.end:
            return SeriesForecast(state, SeriesStatus.NOT_RECOMMENDED, {"status": target.season.rule})
        age = target.age_on(self.person.on)
        if age is not None and max(self.person.on, earliest[0]) >= self.person.ages.until(age.maximum):
            return SeriesForecast(state, SeriesStatus.AGED_OUT, {"status": age.rule})
        return None

    def _earliest(self, state: SeriesState, target: TargetDose) -> Bound:
        """Return the candidate earliest day (FORECASTDTCAN-1)."""
        person = self.person
        bounds: list[Bound] = [(person.birth, target.rule)]
        age = target.age_on(person.on)
        if age is not None and age.minimum is not None:
            bounds.append((person.ages[age.minimum], age.rule))
        if target.season is not None:
            bounds.append((target.season.start, target.season.rule))
        if state.doses:
            bounds.append((state.doses[-1].day, logic.LAST_DOSE))
        bounds += self._interval_days(state, target, "minimum")
        bounds += self._conflict_ends(target)
        return max(bounds, key=lambda bound: bound[0])

    def _interval_days(self, state: SeriesState, target: TargetDose, name: str) -> Iterator[Bound]:
        """Yield the ends of the intervals of a kind, those without a reference day left out (CALCDTINT-4 to -6)."""
        for row, reference in self._references(state, target):
            duration: Duration | None = getattr(row, name)
            if duration is not None:
                yield add(reference, duration), row.rule

    def _references(self, state: SeriesState, target: TargetDose) -> Iterator[tuple[IntervalRow, int]]:
        for row in in_force(target.intervals, self.person.on):
            reference = state.reference_day(row, self.person, len(self.person.history))
            if reference is not None:
                yield row, reference

    def _conflict_ends(self, target: TargetDose) -> Iterator[Bound]:
        """Yield the ends of conflicts of past doses with a preferable vaccine (CALCDTCONFLICT-3)."""
        for row in target.preferable:
            conflicts = self.rules.conflicts.get(row.cvx)
            if conflicts:
                for given in self.person.history:
                    conflict = conflicts.get(given.cvx)
                    if conflict is not None:
                        yield add(given.day, conflict.end), conflict.rule

    def _dated(self, state: SeriesState, target: TargetDose, earliest: Bound) -> SeriesForecast:
        """Return the forecast with its dates (section 7.5)."""
        person, rules = self.person, {"status": target.rule, "earliest": earliest[1]}
        age = target.age_on(person.on)
        recommended: Bound | None = None
        past_due: Bound | None = None
        latest = None
        if age is not None:
            if age.earliest_recommended is not None:
                recommended = person.ages[age.earliest_recommended], age.rule
            if age.latest_recommended is not None:
                past_due = person.ages[age.latest_recommended], age.rule
            if age.maximum is not None:
                latest, rules["latest"] = person.ages[age.maximum] - 1, age.rule
        recommended = recommended or self._last(self._interval_days(state, target, "earliest_recommended"))
        past_due = past_due or self._last(self._interval_days(state, target, "latest_recommended"))
        adjusted = max(recommended or earliest, earliest, key=lambda bound: bound[0])
        rules["recommended"] = adjusted[1]
        forecast = SeriesForecast(state, SeriesStatus.NOT_COMPLETE, rules, earliest[0], adjusted[0], latest=latest)
        if past_due is not None:
            due = max((past_due[0] - 1, past_due[1]), earliest, key=lambda bound: bound[0])
            forecast.past_due, rules["past_due"] = due
        intervals = in_force(target.intervals, person.on)
        forecast.priority = bool(intervals) and all(row.priority for row in intervals)
        forecast.dose_number = _dose_number(state)
        self._add_vaccines(forecast, target)
        return forecast

    def _last(self, bounds: Iterator[Bound]) -> Bound | None:
        return max(bounds, key=lambda bound: bound[0], default=None)

    def _add_vaccines(self, forecast: SeriesForecast, target: TargetDose) -> None:
        """Add the vaccines that are suitable, and of them those recommended by name (FORECASTRECVAC-1).

        The specification looks at the ages on the earliest and on the recommended day. Where these are past, the dose
        is given on the day of the advice at the earliest, and the age on that day counts here.
        """
        ages, against = self.person.ages, self.conditions.vaccines
        days = [max(day or 0, self.person.on) for day in (forecast.earliest, forecast.recommended)]
        fit = [
            row
            for row in target.preferable
            if row.cvx not in against and any(ages[row.begin] <= day < ages.until(row.end) for day in days)
        ]
        forecast.suitable = tuple(dict.fromkeys(row.cvx for row in fit))
        forecast.vaccines = tuple(dict.fromkeys(row.cvx for row in fit if row.recommended))


def finish_day(forecast: SeriesForecast) -> int | None:
    """Return the earliest day plus the longest interval that remains: when a series can be finished (SELECTB-12)."""
    if forecast.earliest is None:
        return None
    state = forecast.state
    ends = [forecast.earliest]
    for place in range(state.position, len(state.targets)):
        ends += [add(forecast.earliest, row.minimum) for row in state.targets[place].intervals if row.minimum]
    return max(ends)


def is_completable(forecast: SeriesForecast, person: Person) -> bool:
    """Return whether a series can be finished before its last target dose has its maximum age (SELECTB-3)."""
    finish = finish_day(forecast)
    if finish is None:
        return False
    age = forecast.state.targets[-1].age_on(person.on)
    return age is None or finish < person.ages.until(age.maximum)


def _dose_number(state: SeriesState) -> int:
    """Return the number of the next dose; of seasonal ones those of the season count (FORECASTDN-1)."""
    counted = sum(
        1
        for place, given in state.satisfied.items()
        if (season := state.targets[place].season) is None or given.day >= season.start
    )
    return counted + 1
