"""The traits by which entries are compared, and what a comparison gives."""

from dataclasses import dataclass
from datetime import date
from math import exp2

from esante.identity.directory.model import Identifier, Person

ABSENT = "absent"
"""The level of a trait that one of two entries does not state; its weight is 0."""
TRAITS = ("identifier", "matricule", "family", "given", "birth_date", "sex", "address")
"""The compared traits, in the order in which they are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is compared of a person, normalised; "" (None, no identifiers) for what is not known.

    `matricule`: the national number. `identifiers`: all others. `family`, `given`: by `rules.normalize_name`.
    `street`: the line of the address, normalised.
    """

    matricule: str = ""
    identifiers: frozenset[Identifier] = frozenset()
    family: str = ""
    given: str = ""
    birth_date: date | None = None
    sex: str = ""
    street: str = ""
    postal_code: str = ""

    @property
    def first_given(self) -> str:
        """The first of the given names."""
        return self.given.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class TraitWeight:
    """How one trait of two entries agrees: a level of the dated weights or `ABSENT`, and its weight in bits."""

    trait: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The comparison of two entries: the weights of all traits, their sum with the prior, and the grade.

    `grade`: a code of http://terminology.hl7.org/CodeSystem/match-grade.
    """

    weights: tuple[TraitWeight, ...]
    bits: float
    grade: str

    @property
    def probability(self) -> float:
        """The probability from 0 to 1 that the entries are of one person, as the weights have it."""
        return 1.0 / (1.0 + exp2(-max(-60.0, min(60.0, self.bits))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An entry that may be of the person who was asked for."""

    person: Person
    agreement: Agreement
