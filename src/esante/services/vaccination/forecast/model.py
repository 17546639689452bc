"""What goes into an advice and what comes out: persons, doses, observations; statuses, dates and their rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class SeriesStatus(StrEnum):
    """Where a person stands in a series (CDSi Logic Specification, section 3.2)."""

    NOT_COMPLETE = "Not Complete"
    COMPLETE = "Complete"
    IMMUNE = "Immune"
    CONTRAINDICATED = "Contraindicated"
    AGED_OUT = "Aged Out"
    NOT_RECOMMENDED = "Not Recommended"


class EvaluationStatus(StrEnum):
    """What a dose counts for (CDSi Logic Specification, section 3.2); NOT_EVALUATED: no rule is about it."""

    VALID = "Valid"
    NOT_VALID = "Not Valid"
    EXTRANEOUS = "Extraneous"
    SUB_STANDARD = "Sub-standard"
    NOT_EVALUATED = "Not evaluated"


class Reason(StrEnum):
    """Why a dose does not count, or counts in spite of something."""

    TOO_YOUNG = "Age: Too Young"
    TOO_OLD = "Age: Too Old"
    TOO_SOON = "Interval: too short"
    CONFLICT = "Live Virus Conflict"
    VACCINE = "Not a preferable or allowable vaccine"
    INADVERTENT = "Inadvertent Vaccine"
    COMPLETE = "Series Already Complete"
    EXPIRED = "Expired lot"
    CONDITION = "Dose flagged by its condition"
    GRACE = "Grace period"
    VOLUME = "Less than the recommended volume"
    UNKNOWN_VACCINE = "Vaccine unknown to the rules"
    BEFORE_BIRTH = "Given before birth"
    AFTER_DEATH = "Given after death"
    LATER = "Given after the day of the advice"
    NO_SERIES = "No series for this person"


@dataclass(frozen=True, slots=True)
class Dose:
    """A vaccine dose that was given.

    `vaccine` is a CVX code, `manufacturer` an MVX code, `volume` in millilitres. `expires_on`: the last day of the
    lot; of a month only, the last day of the month (CALCDTLOTEXP-1). `condition_flag`: the dose is known to be unfit.
    """

    id: str
    given_on: date
    vaccine: str
    manufacturer: str | None = None
    trade_name: str | None = None
    expires_on: date | None = None
    condition_flag: bool = False
    volume: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """A condition, risk, adverse reaction, immunity or refusal, by the code of the rules, from `start` to `end`.

    `certain` is False where it is not known whether it applies: then it changes nothing, and the clinician is shown
    the text of the rule (section 5.1 and 7.3 of the specification).
    """

    code: str
    start: date | None = None
    end: date | None = None
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Patient:
    """A person, as far as rules are about them. `gender`: "male", "female" or "unknown"; `birth_country`: ISO 3166."""

    birth_date: date
    gender: str = "unknown"
    observations: tuple[Observation, ...] = ()
    birth_country: str | None = None
    death_date: date | None = None


@dataclass(frozen=True, slots=True)
class DoseEvaluation:
    """What a dose counts for in a group or an antigen; `rule` is the id of the rule that decided."""

    dose: str
    status: EvaluationStatus
    reason: Reason | None
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forecast:
    """The status of a person in a series or group, and the dates of the next dose.

    `rule_of` names the rule behind the status and each date ("status", "earliest", "recommended", "past_due",
    "latest"); `reasons` are those rules, each once. `vaccines`: CVX codes that are recommended by name,
    `suitable`: those that may be given. `texts`: for
    the clinician. `series`: the series that the person follows, by name.
    """

    status: SeriesStatus
    earliest: date | None = None
    recommended: date | None = None
    past_due: date | None = None
    latest: date | None = None
    dose_number: int | None = None
    vaccines: tuple[str, ...] = ()
    suitable: tuple[str, ...] = ()
    evaluations: tuple[DoseEvaluation, ...] = ()
    rule_of: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    risk: bool = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """The ids of the rules behind the status and the dates."""
        return tuple(dict.fromkeys(self.rule_of.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class AntigenAdvice(_Forecast):
    """The advice for one antigen: that of its best series. `risk`: it follows from a risk of this person."""

    antigen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupAdvice(_Forecast):
    """The advice for one vaccine group: what is recommended together."""

    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The advice for one person on one day.

    `groups`: one for each vaccine group that concerns the person, the most pressing where several series do;
    `further`: the other ones of the same groups (a dose in pregnancy beside the booster of all adults). `by_antigen`:
    the same before merging, every best series of an antigen. `not_evaluated`: doses that no series is about.
    `texts`: for the clinician, beside those of the groups (indications that could not be resolved).
    """

    on: date
    rules: str
    groups: tuple[GroupAdvice, ...]
    further: tuple[GroupAdvice, ...] = ()
    by_antigen: tuple[AntigenAdvice, ...] = ()
    not_evaluated: tuple[DoseEvaluation, ...] = ()
    texts: tuple[str, ...] = ()

    def group(self, name: str) -> GroupAdvice | None:
        """Return the advice for a group; None when the group does not concern the person."""
        return next((one for one in self.groups if one.group == name), None)
