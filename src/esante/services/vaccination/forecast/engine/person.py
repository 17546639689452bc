"""A person as the engine sees them: days as numbers, doses sorted and divided among antigens, active observations."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from esante.services.vaccination.forecast.durations import Ages
from esante.services.vaccination.forecast.model import (
    Dose,
    DoseEvaluation,
    EvaluationStatus,
    Observation,
    Patient,
    Reason,
)
from esante.services.vaccination.forecast.rules import logic
from esante.services.vaccination.forecast.rules.model import RuleSet


class Given:
    """A dose that was given, at a place of the history."""

    __slots__ = ("cvx", "day", "dose", "place", "trade_name", "unfit")

    def __init__(self, dose: Dose, cvx: int, place: int) -> None:
        self.dose, self.cvx, self.place = dose, cvx, place
        self.day = dose.given_on.toordinal()
        self.trade_name = (dose.trade_name or "").casefold()
        expired = dose.expires_on is not None and dose.given_on > dose.expires_on
        self.unfit = Reason.EXPIRED if expired else Reason.CONDITION if dose.condition_flag else None


class Person:
    """A person on the day of an advice.

    `history`: all doses of vaccines that the rules know, oldest first; those of one day in the order given.
    `by_antigen`: the same, divided (section 4.2). `rejected`: doses that no rule can be about.
    """

    def __init__(self, patient: Patient, doses: Iterable[Dose], on: date, rules: RuleSet) -> None:
        self.patient, self.on = patient, on.toordinal()
        self.birth = patient.birth_date.toordinal()
        self.ages = Ages(self.birth)
        self.rejected: list[DoseEvaluation] = []
        self.history: list[Given] = []
        self.by_antigen: defaultdict[str, list[Given]] = defaultdict(list)
        self._sort_doses(doses, on, rules)
        self.days = [given.day for given in self.history]
        self.active = {one.code: one for one in patient.observations if one.certain and self._is_active(one)}
        """Active observations by code."""
        self.ever = {one.code for one in patient.observations if one.certain}
        self.uncertain = {one.code for one in patient.observations if not one.certain}
        self.observed: dict[str, int] = {}
        """The latest day on which each observation began."""
        for one in patient.observations:
            if one.certain and one.start is not None and one.start.toordinal() <= self.on:
                self.observed[one.code] = max(self.observed.get(one.code, 0), one.start.toordinal())

    def _is_active(self, one: Observation) -> bool:
        begun = one.start is None or one.start.toordinal() <= self.on
        return begun and (one.end is None or one.end.toordinal() >= self.on)

    def _sort_doses(self, doses: Iterable[Dose], on: date, rules: RuleSet) -> None:
        for dose in sorted(doses, key=lambda dose: dose.given_on):
            cvx = cvx_of(dose.vaccine)
            reason = self._reason_against(dose, cvx, on, rules)
            if reason is not None:
                self.rejected.append(
                    DoseEvaluation(dose.id, EvaluationStatus.NOT_EVALUATED, reason, logic.ORGANISATION)
                )
                continue
            given = Given(dose, cvx, len(self.history))
            self.history.append(given)
            for association in rules.vaccines[cvx]:
                if self.ages[association.begin] <= given.day < self.ages.until(association.end):
                    self.by_antigen[association.antigen].append(given)

    def _reason_against(self, dose: Dose, cvx: int, on: date, rules: RuleSet) -> Reason | None:
        if dose.given_on < self.patient.birth_date:
            return Reason.BEFORE_BIRTH
        if self.patient.death_date is not None and dose.given_on > self.patient.death_date:
            return Reason.AFTER_DEATH
        if dose.given_on > on:
            return Reason.LATER
        return None if cvx in rules.vaccines else Reason.UNKNOWN_VACCINE

    def first_on_or_after(self, day: int) -> int:
        """Return the place in the history of the first dose on or after a day."""
        return bisect_left(self.days, day)


def cvx_of(code: str) -> int:
    """Return a CVX code as a number, without leading zeros; -1 for what is none."""
    return int(code) if code.isascii() and code.isdigit() and len(code) < 6 else -1
