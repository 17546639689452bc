"""A series for one person: its target doses and what became of them, and of the person's doses."""

from enum import Enum
from typing import NamedTuple

from esante.services.vaccination.forecast.engine.person import Given, Person
from esante.services.vaccination.forecast.model import EvaluationStatus, Reason
from esante.services.vaccination.forecast.rules.model import IntervalFrom, IntervalRow, Series, TargetDose


class TargetStatus(Enum):
    """What became of a target dose."""

    NOT_SATISFIED = "Not Satisfied"
    SATISFIED = "Satisfied"
    SKIPPED = "Skipped"


class Outcome(NamedTuple):
    """What a dose counts for in a series. `target`: the number of the target dose that it was compared with."""

    given: Given
    status: EvaluationStatus
    reason: Reason | None
    rule: str
    target: int | None


class SeriesState:
    """The target doses of a series while doses are compared with them.

    `position`: the first target that is neither satisfied nor skipped. `satisfied`: the dose for each satisfied target
    by its place in `targets`.
    """

    __slots__ = (
        "doses",
        "failed",
        "inadvertent",
        "outcomes",
        "position",
        "previous",
        "satisfied",
        "series",
        "skip_rules",
        "statuses",
        "targets",
        "valid",
    )

    def __init__(self, series: Series, doses: list[Given]) -> None:
        self.series, self.doses = series, doses
        self.targets: list[TargetDose] = list(series.doses)
        self.statuses = [TargetStatus.NOT_SATISFIED] * len(self.targets)
        self.satisfied: dict[int, Given] = {}
        self.outcomes: list[Outcome] = []
        self.valid: list[Given] = []
        """The doses that are Valid in this series, oldest first."""
        self.failed: set[int] = set()
        self.inadvertent: set[int] = set()
        """The places in the history of the doses that are not Valid, and of those given inadvertently."""
        self.previous: Given | None = None
        """The last dose that an interval is measured from (CALCDTINT-1)."""
        self.skip_rules: list[str] = []
        self.position = 0

    @property
    def target(self) -> TargetDose | None:
        """The first target dose that is neither satisfied nor skipped."""
        return self.targets[self.position] if self.position < len(self.targets) else None

    def skip(self, rule: str) -> None:
        """Mark the target dose as skipped."""
        self.statuses[self.position] = TargetStatus.SKIPPED
        self.skip_rules.append(rule)
        self.position += 1

    def note(self, outcome: Outcome) -> None:
        """Keep what a dose counts for; a valid one satisfies the target dose, which may recur."""
        self.outcomes.append(outcome)
        given, status = outcome.given, outcome.status
        valid = status is EvaluationStatus.VALID
        if (valid or status is EvaluationStatus.NOT_VALID) and outcome.reason is not Reason.INADVERTENT:
            self.previous = given
        if outcome.reason is Reason.INADVERTENT:
            self.inadvertent.add(given.place)
        if valid:
            self._satisfy(given)
        else:
            self.failed.add(given.place)

    def _satisfy(self, given: Given) -> None:
        self.valid.append(given)
        self.satisfied[self.position] = given
        self.statuses[self.position] = TargetStatus.SATISFIED
        target = self.targets[self.position]
        self.position += 1
        if target.recurring:
            self.targets.insert(self.position, target)
            self.statuses.insert(self.position, TargetStatus.NOT_SATISFIED)

    def reference_day(self, row: IntervalRow, person: Person, before: int) -> int | None:
        """Return the day that an interval is measured from (CALCDTINT-1, -2, -8, -9); None when there is none.

        `before`: the place in the history of the dose in question.
        """
        if row.start is IntervalFrom.PREVIOUS:
            return self.previous.day if self.previous else None
        if row.start is IntervalFrom.OBSERVATION:
            return person.observed.get(row.observation)
        if row.start is IntervalFrom.TARGET_DOSE:
            for place, given in self.satisfied.items():
                if self.targets[place].number == row.target:
                    return given.day
            return None
        for place in range(before - 1, -1, -1):
            given = person.history[place]
            if given.cvx in row.vaccines and place not in self.inadvertent:
                return given.day
        return None

    @property
    def valid_count(self) -> int:
        """How many target doses are satisfied (SELECTB-21)."""
        return len(self.satisfied)

    @property
    def open_count(self) -> int:
        """How many target doses are not satisfied (SELECTB-5)."""
        return self.statuses.count(TargetStatus.NOT_SATISFIED)
