"""What a document says of its patient, and the traits in which that differs from the person of the record."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Trait(StrEnum):
    """A trait by which persons are compared; documents and journal entries keep it as the key of a finding."""

    IDENTIFIER = "identifier-differs"
    NAME = "name-differs"
    BIRTH_DATE = "birth-date-differs"
    SEX = "sex-differs"


TRAITS = frozenset(trait.value for trait in Trait)
"""The keys of the findings that say in what a document differs from the person of its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonName:
    """A name of a person by its parts (FHIR HumanName), or as a `text` where it is not divided."""

    family: str = ""
    given: tuple[str, ...] = ()
    text: str = ""

    @property
    def whole(self) -> str:
        """The name as one text."""
        return " ".join((*self.given, self.family)).strip() or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """What a document or a request says of its patient, empty where it says nothing.

    `identifiers` are pairs of system and value; `birth_date` is a FHIR date of any precision; `sex` a code of FHIR
    administrative-gender.
    """

    identifiers: tuple[tuple[str, str], ...] = ()
    names: tuple[PersonName, ...] = ()
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A trait in which the document differs, and what the document has there ("": the trait is missing in it).

    `severe`: this alone shows another person: their national identifier.
    """

    trait: Trait
    found: str = ""
    severe: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison; `confirmed`: something shows that it is the person of the record."""

    differences: tuple[Difference, ...] = ()
    confirmed: bool = False

    @property
    def severe(self) -> bool:
        """Whether it is most likely another person: their national identifier, or name and birth date both differ."""
        traits = {difference.trait for difference in self.differences}
        return any(one.severe for one in self.differences) or {Trait.NAME, Trait.BIRTH_DATE} <= traits


def merge(comparisons: Iterable[Comparison]) -> Comparison:
    """Return one comparison of several parts of a document; of a trait the most severe difference is kept."""
    found: dict[Trait, Difference] = {}
    confirmed = False
    for comparison in comparisons:
        confirmed = confirmed or comparison.confirmed
        for difference in comparison.differences:
            known = found.get(difference.trait)
            if known is None or (difference.severe and not known.severe):
                found[difference.trait] = difference
    ordered = tuple(found[trait] for trait in Trait if trait in found)
    return Comparison(ordered, confirmed and not ordered)
