"""What if: the same advice again and again over time, with doses that are assumed to be given when they are due.

A plan answers what a child with foreign doses still needs and when, or what a pregnancy, a journey or a new illness
changes.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from esante.services.vaccination.forecast.engine import advise
from esante.services.vaccination.forecast.model import (
    Advice,
    Dose,
    EvaluationStatus,
    GroupAdvice,
    Observation,
    Patient,
    SeriesStatus,
)
from esante.services.vaccination.forecast.rules import RuleSet

_MOST_VISITS = 60
"""A plan ends after so many visits, whatever recurs."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A day on which vaccines are due in a plan: the doses assumed, each with the advice that asks for it."""

    on: date
    doses: tuple[tuple[Dose, GroupAdvice], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The visits of a plan in their order, and the advice at its end.

    `unplanned`: groups with a dose due that no vaccine of the rules would satisfy.
    """

    visits: tuple[Visit, ...]
    outcome: Advice
    unplanned: tuple[str, ...]


def plan(
    patient: Patient,
    doses: Iterable[Dose],
    rules: RuleSet,
    *,
    start: date,
    end: date,
    observations: Iterable[Observation] = (),
    groups: Collection[str] | None = None,
    early: bool = False,
) -> Plan:
    """Return the visits from `start` to `end` that the rules ask for, when every dose is given on its day.

    `observations`: assumed beside those of the person (a pregnancy, a journey, a risk). `groups`: the vaccine groups
    to plan; None: all. A dose is planned on its recommended day, or with `early` on its earliest, as in a catch-up.
    Raises: ValueError when `end` is before `start`.
    """
    if end < start:
        raise ValueError("the plan ends before it begins")
    assumed = replace(patient, observations=(*patient.observations, *observations))
    planner = _Planner(assumed, list(doses), rules, groups, early=early)
    visits: list[Visit] = []
    on = start
    while True:
        advice = advise(assumed, planner.doses, on, rules)
        days = [planner.day_of(one, on) for one in planner.due(advice)]
        if not days or min(days) > end or len(visits) == _MOST_VISITS:
            return Plan(tuple(visits), advise(assumed, planner.doses, end, rules), tuple(sorted(planner.unplanned)))
        if min(days) > on:
            on = min(days)
            continue
        given = tuple(planner.give(advice, on))
        if given:
            visits.append(Visit(on, given))
        on += timedelta(days=1)


class _Planner:
    """The doses of a person while visits are planned."""

    def __init__(
        self, patient: Patient, doses: list[Dose], rules: RuleSet, groups: Collection[str] | None, *, early: bool
    ) -> None:
        self.doses, self.unplanned = doses, set[str]()
        self._patient, self._rules, self._groups, self._early = patient, rules, groups, early
        self._antigens = {group.name: set(group.antigens) for group in rules.groups}

    def due(self, advice: Advice) -> list[GroupAdvice]:
        """Return the groups to plan in which another dose is due at any time."""
        return [
            one
            for one in (*advice.groups, *advice.further)
            if one.status is SeriesStatus.NOT_COMPLETE
            and one.group not in self.unplanned
            and (self._groups is None or one.group in self._groups)
        ]

    def day_of(self, one: GroupAdvice, on: date) -> date:
        """Return the day on which the next dose of a group is planned, not before `on`."""
        return max((one.earliest if self._early else one.recommended) or on, on)

    def give(self, advice: Advice, on: date) -> Iterator[tuple[Dose, GroupAdvice]]:
        """Yield the doses of a day, and keep them: a vaccine that serves several groups is given once."""
        served: set[str] = set()
        for one in self.due(advice):
            if self.day_of(one, on) > on or self._antigens[one.group] <= served:
                continue
            dose = self._dose(one, on)
            if dose is None:
                self.unplanned.add(one.group)
            else:
                served |= {each.antigen for each in self._rules.vaccines[int(dose.vaccine)]}
                self.doses.append(dose)
                yield dose, one

    def _dose(self, one: GroupAdvice, on: date) -> Dose | None:
        """Return a dose that would be valid for a group today: of a vaccine recommended by name, suitable, or any."""
        for vaccine in dict.fromkeys((*map(int, (*one.vaccines, *one.suitable)), *self._vaccines_for(one))):
            dose = Dose(f"assumed-{len(self.doses) + 1}", on, str(vaccine))
            if self._counts(dose, one, on):
                return dose
        return None

    def _vaccines_for(self, one: GroupAdvice) -> list[int]:
        """Return the vaccines with the antigens of a group, those with the fewest others first."""
        wanted = self._antigens[one.group]
        contents = {cvx: {each.antigen for each in found} for cvx, found in self._rules.vaccines.items()}
        return sorted((cvx for cvx in contents if wanted <= contents[cvx]), key=lambda cvx: len(contents[cvx]))

    def _counts(self, dose: Dose, one: GroupAdvice, on: date) -> bool:
        advice = advise(self._patient, [*self.doses, dose], on, self._rules)
        return any(
            evaluation.dose == dose.id and evaluation.status is EvaluationStatus.VALID
            for group in (*advice.groups, *advice.further)
            if group.group == one.group and group.risk == one.risk
            for evaluation in group.evaluations
        )
