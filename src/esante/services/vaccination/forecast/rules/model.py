"""The compiled form of a set of rules: antigens, series, target doses and their rows, as the engine reads them.

The terms are those of the CDSi Logic Specification. Days are ordinals, vaccines are CVX codes as numbers. Every row
has the id of its rule (`rule`), which `RuleSet.rule` resolves to its source.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from functools import lru_cache

from esante.services.vaccination.forecast.durations import FIRST_DAY, LAST_DAY, NOTHING, Duration, add


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a rule comes from. `verified`: whether it was checked against its source."""

    id: str
    source: str
    verified: bool
    text: str = ""


class SeriesKind(Enum):
    """Whom a series is for: all, persons at risk, or nobody (old series that complete a person's vaccination)."""

    STANDARD = "Standard"
    RISK = "Risk"
    EVALUATION_ONLY = "Evaluation Only"


class IntervalFrom(Enum):
    """What an interval is measured from."""

    PREVIOUS = "previous dose"
    TARGET_DOSE = "target dose"
    MOST_RECENT = "most recent vaccine"
    OBSERVATION = "observation"


class ConditionKind(Enum):
    """What a condition of a skip is about."""

    AGE = "age"
    INTERVAL = "interval"
    VACCINE_COUNT = "vaccine count"
    COMPLETED_SERIES = "completed series"


class Comparison(Enum):
    """How a number of doses is compared with that of the condition."""

    GREATER = "greater than"
    EQUAL = "equal to"
    LESS = "less than"


@dataclass(frozen=True, slots=True)
class AgeRow:
    """The ages of a target dose; None: no such age. In force from `effective` to `cessation`, both included."""

    rule: str
    absolute_minimum: Duration | None = None
    minimum: Duration | None = None
    earliest_recommended: Duration | None = None
    latest_recommended: Duration | None = None
    maximum: Duration | None = None
    effective: int = FIRST_DAY
    cessation: int = LAST_DAY


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """An interval of a target dose: from the previous dose, a `target`, one of `vaccines`, or an `observation`."""

    rule: str
    start: IntervalFrom
    target: int = 0
    vaccines: frozenset[int] = frozenset()
    observation: str = ""
    absolute_minimum: Duration | None = None
    minimum: Duration | None = None
    earliest_recommended: Duration | None = None
    latest_recommended: Duration | None = None
    priority: bool = False
    effective: int = FIRST_DAY
    cessation: int = LAST_DAY


@dataclass(frozen=True, slots=True)
class VaccineRow:
    """A preferable or allowable vaccine between two ages. `recommended`: recommended by name in a forecast."""

    rule: str
    cvx: int
    begin: Duration | None = None
    end: Duration | None = None
    trade_name: str = ""
    mvx: str = ""
    volume: float | None = None
    recommended: bool = False


@dataclass(frozen=True, slots=True)
class SkipCondition:
    """A condition of a skip; the fields that its kind does not use keep their defaults."""

    kind: ConditionKind
    begin: Duration | None = None
    end: Duration | None = None
    start_date: int = FIRST_DAY
    end_date: int = LAST_DAY
    interval: Duration = NOTHING
    count: int = 0
    comparison: Comparison = Comparison.GREATER
    valid_only: bool = False
    vaccines: frozenset[int] = frozenset()
    series_group: str = ""


@dataclass(frozen=True, slots=True)
class SkipSet:
    """Conditions of which every one or any one must be met."""

    rule: str
    every: bool
    conditions: tuple[SkipCondition, ...]
    effective: int = FIRST_DAY
    cessation: int = LAST_DAY


@dataclass(frozen=True, slots=True)
class Skip:
    """Sets of which every one or any one must be met for a target dose to be skipped, in these contexts."""

    in_evaluation: bool
    in_forecast: bool
    every: bool
    sets: tuple[SkipSet, ...]


@dataclass(frozen=True, slots=True)
class Season:
    """The days on which a seasonal dose is recommended. `yearly`: the window returns every year."""

    rule: str
    start: int = FIRST_DAY
    end: int = LAST_DAY
    yearly: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TargetDose:
    """One dose of a series, with everything that a dose given must fulfil to satisfy it."""

    rule: str
    number: int
    ages: tuple[AgeRow, ...] = ()
    intervals: tuple[IntervalRow, ...] = ()
    allowable_intervals: tuple[IntervalRow, ...] = ()
    preferable: tuple[VaccineRow, ...] = ()
    allowable: tuple[VaccineRow, ...] = ()
    inadvertent: frozenset[int] = frozenset()
    evaluation_skips: tuple[Skip, ...] = ()
    forecast_skips: tuple[Skip, ...] = ()
    recurring: bool = False
    season: Season | None = None

    def age_on(self, day: int) -> AgeRow | None:
        """Return the ages in force on a day."""
        for row in self.ages:
            if row.effective <= day <= row.cessation:
                return row
        return None


@dataclass(frozen=True, slots=True)
class Indication:
    """An observation between two ages that makes a risk series relevant."""

    rule: str
    observation: str
    text: str
    begin: Duration | None = None
    end: Duration | None = None


@dataclass(frozen=True, slots=True)
class Contraindication:
    """An observation between two ages against an antigen (no `vaccines`), or against vaccines between ages."""

    rule: str
    observation: str
    text: str
    begin: Duration | None = None
    end: Duration | None = None
    vaccines: tuple[VaccineRow, ...] = ()


@dataclass(frozen=True, slots=True)
class BirthImmunity:
    """Persons born before a day are taken for immune, but for those with one of the `exclusions`."""

    rule: str
    before: int
    country: str
    exclusions: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A series of target doses against one antigen."""

    rule: str
    name: str
    antigen: str
    group: str
    kind: SeriesKind
    doses: tuple[TargetDose, ...]
    genders: frozenset[str] = frozenset()
    series_group: str = "1"
    equivalent: frozenset[str] = frozenset()
    default: bool = False
    product_path: bool = False
    priority: str = "A"
    preference: int = 10**6
    maximum_start: Duration | None = None
    indications: tuple[Indication, ...] = ()
    guidance: tuple[str, ...] = ()
    seasonal: bool = field(init=False)
    """Whether a dose is bound to a season."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seasonal", any(dose.season for dose in self.doses))


@dataclass(frozen=True, slots=True, eq=False)
class Antigen:
    """All series against an antigen, in the order in which they are evaluated, and what excludes vaccination."""

    name: str
    series: tuple[Series, ...]
    immunity: Mapping[str, str] = field(default_factory=dict)
    """Observations that are evidence of immunity, with the id of their rule."""
    birth_immunity: tuple[BirthImmunity, ...] = ()
    contraindications: tuple[Contraindication, ...] = ()
    vaccine_contraindications: tuple[Contraindication, ...] = ()


@dataclass(frozen=True, slots=True)
class VaccineGroup:
    """Antigens that are advised together. `whole`: with a vaccine that contains all of them (MMR)."""

    name: str
    antigens: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Association:
    """An antigen that a vaccine contains, for persons vaccinated between two ages."""

    antigen: str
    begin: Duration | None = None
    end: Duration | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """How long after a dose of one vaccine another must wait; `minimum_end` after a valid dose."""

    rule: str
    begin: Duration
    minimum_end: Duration
    end: Duration


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """A set of rules, ready for the engine."""

    name: str
    antigens: Mapping[str, Antigen]
    groups: tuple[VaccineGroup, ...]
    vaccines: Mapping[int, tuple[Association, ...]]
    conflicts: Mapping[int, Mapping[int, Conflict]]
    """By the vaccine that must wait, then by the one given before."""
    rules: Mapping[str, Rule]
    observations: Mapping[str, str] = field(default_factory=dict)
    """The titles of observations by their codes."""
    coded_values: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """Observations by (code system, code) of records."""
    vaccine_names: Mapping[int, str] = field(default_factory=dict)

    def rule(self, id: str) -> Rule:
        """Return the rule of an id that an advice names. Raises: KeyError."""
        return self.rules[id]


def in_force(rows: Iterable[IntervalRow], day: int) -> list[IntervalRow]:
    """Return the rows in force on a day (RELEVANT-1, RELEVANT-2)."""
    return [row for row in rows if row.effective <= day <= row.cessation]


@lru_cache(maxsize=4096)
def at_season(series: Series, day: int) -> Series:
    """Return the series with its seasons, and the dates in the skips of their doses, moved to the season of a day.

    Rules are published for one season. A yearly window returns every year; any other is moved back only, for
    assessments before the season that the rules were published for.
    """
    return replace(series, doses=tuple(_dose_at_season(dose, day) for dose in series.doses))


def _dose_at_season(dose: TargetDose, day: int) -> TargetDose:
    if dose.season is None:
        return dose
    if dose.season.end == LAST_DAY:
        ignored = dose.season.start > day
        return replace(dose, season=None) if ignored else dose
    years = _years_to_season(dose.season, day)
    if not years:
        return dose
    move = Duration(12 * years)
    return replace(
        dose,
        season=replace(dose.season, start=add(dose.season.start, move), end=_move_end(dose.season.end, move)),
        evaluation_skips=tuple(_moved_skip(skip, move) for skip in dose.evaluation_skips),
        forecast_skips=tuple(_moved_skip(skip, move) for skip in dose.forecast_skips),
    )


def _years_to_season(season: Season, day: int) -> int:
    """Return by how many years to move a season so that it holds, or is the next to begin, on a day."""
    years = date.fromordinal(day).year - date.fromordinal(season.end).year + 1
    while _move_end(season.end, Duration(12 * (years - 1))) >= day:
        years -= 1
    return years if season.yearly else min(years, 0)


def _move_end(end: int, move: Duration) -> int:
    """Return a last day moved by years; the last day of February stays that."""
    return add(end + 1, move) - 1


def _moved_skip(skip: Skip, move: Duration) -> Skip:
    return replace(skip, sets=tuple(_moved_set(one, move) for one in skip.sets))


def _moved_set(one: SkipSet, move: Duration) -> SkipSet:
    return replace(one, conditions=tuple(_moved_condition(each, move) for each in one.conditions))


def _moved_condition(condition: SkipCondition, move: Duration) -> SkipCondition:
    start, end = condition.start_date, condition.end_date
    return replace(
        condition,
        start_date=start if start == FIRST_DAY else add(start, move),
        end_date=end if end == LAST_DAY else add(end, move),
    )
