"""Types of the nomenclature: acts, what their tariffs are made of, and prices. Amounts are euros."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from enum import StrEnum


class Part(StrEnum):
    """The parts of the nomenclature, which the rules of cumulation tell apart."""

    GENERAL = "general"
    TECHNICAL = "technical"
    CONVENIENCE = "convenience"
    """Supplements that the patient asked for: the amount is free, and never reimbursed."""


class Chapter(StrEnum):
    """The chapters of acts that rules name."""

    CONSULTATION = "consultation"
    HOME_VISIT = "home_visit"
    HOSPITAL_VISIT = "hospital_visit"
    HOSPITAL_FLAT_FEE = "hospital_flat_fee"
    REPORT = "report"
    TRAVEL = "travel"
    TECHNICAL = "technical"
    RADIOLOGY = "radiology"
    CONVENIENCE = "convenience"

    @property
    def part(self) -> Part:
        """The part of the nomenclature that the chapter belongs to."""
        return _PARTS.get(self, Part.GENERAL)


_PARTS = {
    Chapter.TECHNICAL: Part.TECHNICAL,
    Chapter.RADIOLOGY: Part.TECHNICAL,
    Chapter.CONVENIENCE: Part.CONVENIENCE,
}


class Flag(StrEnum):
    """Remarks of the nomenclature on an act."""

    CAC = "CAC"
    """The act may be billed together with a consultation (article 10)."""
    CAT = "CAT"
    """The act is never reduced beside other technical acts (article 9)."""


class Unit(StrEnum):
    """In what the span of a frequency limit is counted."""

    DAYS = "d"
    MONTHS = "m"
    CALENDAR_YEARS = "y"
    LIFE = "life"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How often an act may be billed for a person: `count` times in `span` units, by one biller or by all together."""

    count: int
    span: int
    unit: Unit
    by_biller: bool = False

    def __str__(self) -> str:
        span = "life" if self.unit is Unit.LIFE else f"{self.span}{self.unit.value}"
        return f"{self.count}/{span}{'/biller' if self.by_biller else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act of the nomenclature as it holds from a day until another (inclusive; None: no end is known).

    `coefficient` counts in the key letter `key`; `fixed` is a tariff in euros in its place; a convenience has neither.
    `labels` by language, French always. Empty sets: no limit. `min_age` is reached, `below_age` not yet, in years.
    `hours`: the time of day from which until which (exclusive) it is done. `in_hospital`: for in-patients only.
    `part_of`: the acts of which it is a part, and beside which it is not billed.
    """

    code: str
    chapter: Chapter
    labels: Mapping[str, str]
    valid_from: date
    valid_to: date | None = None
    key: str = ""
    coefficient: Decimal | None = None
    fixed: Decimal | None = None
    flags: frozenset[Flag] = frozenset()
    professions: frozenset[str] = frozenset()
    specialities: frozenset[str] = frozenset()
    min_age: int | None = None
    below_age: int | None = None
    hours: tuple[time, time] | None = None
    places: frozenset[str] = frozenset()
    in_hospital: bool = False
    frequencies: tuple[Frequency, ...] = ()
    max_quantity: int = 99
    approval: bool = False
    part_of: frozenset[str] = frozenset()
    legal_source: str
    verified: bool

    def label(self, language: str) -> str:
        """Return the label in a language, in French where there is no other."""
        return self.labels.get(language) or self.labels["fr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The tariff of an act on a day: `unit` for one, `total` for all; `exact` is that of one before it is rounded.

    `key_value` is the value of the key letter at index 100; None, as `coefficient` and `index`, for a fixed tariff.
    """

    unit: Decimal
    exact: Decimal
    total: Decimal
    coefficient: Decimal | None = None
    key_value: Decimal | None = None
    index: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number that holds from a day on: a key letter, the index, the step of rounding."""

    valid_from: date
    value: Decimal
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffTerms:
    """What makes a tariff of a coefficient: values of each key letter, the index, the step to which it is rounded."""

    key_letters: Mapping[str, tuple[Value, ...]]
    index: tuple[Value, ...]
    rounding: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurchargeTerms:
    """What a letter at an act does to its tariff from a day on.

    `share`: the part of the tariff that is billed in its place (1: all of it), at least `minimum`; `addition`: what is
    added, as a part of the tariff; `hours`: the time of day for which it is.
    """

    valid_from: date
    share: Decimal = Decimal(1)
    addition: Decimal = Decimal(0)
    minimum: Decimal = Decimal(0)
    hours: tuple[time, time] | None = None
    below_age: int | None = None
    above_age: int | None = None
    legal_source: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Surcharge:
    """A letter before or behind the code of an act, with its periods, the oldest first.

    `when`: what must hold on the day: `night`, `sunday`, `holiday`, `age`, or "" for nothing. `urgent`: it is one of
    those for urgent acts (article 8), of which one counts.
    """

    letter: str
    label: str
    when: str = ""
    urgent: bool = False
    periods: tuple[SurchargeTerms, ...] = field(default=())
