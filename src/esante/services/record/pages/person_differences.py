"""In what a document differs from a person, for a page: the two side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

from esante.core.web import N_, show_date
from esante.identity.directory import Person
from esante.services.record.identification.comparison import matricule_system
from esante.services.record.identification.model import Comparison, Trait
from esante.services.record.pages.formatting import format_day

_LABELS: Mapping[Trait, str] = {
    Trait.IDENTIFIER: N_("Identification number"),
    Trait.NAME: N_("Name"),
    Trait.BIRTH_DATE: N_("Date of birth"),
    Trait.SEX: N_("Sex"),
}
_SEXES = {"female": N_("female"), "male": N_("male")}


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A trait that differs (a msgid), what the document has ("": nothing), and what the person has.

    `is_word`: the two are msgids, not data.
    """

    label: str
    in_document: str
    of_person: str
    is_word: bool = False


def difference_rows(comparison: Comparison, person: Person, language: str) -> list[DifferenceRow]:
    """Return the differences from a person, in the format of a language."""
    return [_row(difference.trait, difference.found, person, language) for difference in comparison.differences]


def _row(trait: Trait, found: str, person: Person, language: str) -> DifferenceRow:
    label = _LABELS[trait]
    match trait:
        case Trait.IDENTIFIER:
            return DifferenceRow(label, found, _number(person))
        case Trait.NAME:
            return DifferenceRow(label, found, person.name)
        case Trait.BIRTH_DATE:
            return DifferenceRow(label, format_day(found, language), show_date(person.birth_date, language))
        case Trait.SEX:
            return DifferenceRow(label, _SEXES.get(found, found), _SEXES.get(person.sex, person.sex), is_word=True)


def _number(person: Person) -> str:
    """Return the matricule of a person, or else another number of theirs."""
    numbers = sorted(person.identifiers, key=lambda one: one.system != matricule_system())
    return numbers[0].value if numbers else ""
