"""Support for tests of the comparison of persons: a person, and names as people write them."""

from datetime import date

from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.identity.directory import Identifier, Person, catalogue, matricule
from esante.services.record.identification.comparison import compare
from esante.services.record.identification.model import Comparison, Demographics, PersonName, Trait

MATRICULE = catalogue().system("matricule").uri
OWN, OTHERS = matricule(date(1980, 5, 17), 123), matricule(date(1961, 4, 3), 77)
FAMILY_NAMES = ("Weber", "Müller", "Großmann", "Schröder", "da Silva", "van den Berg", "D'Angelo", "Thill-Kieffer")
GIVEN_NAMES = ("Anna", "Jean-Pierre", "Zoé", "Jürgen", "José", "Maëlle", "Françoise", "Søren")
families, givens = st.sampled_from(FAMILY_NAMES), st.sampled_from(GIVEN_NAMES)


def anna(**traits) -> Person:
    """Return Anna Maria Weber, born on 17 May 1980, with a matricule and a number of a hospital."""
    values = {
        "id": uuid7(),
        "identifiers": (Identifier(MATRICULE, OWN), Identifier("urn:oid:2.999.7", "4711")),
        "family": "Weber",
        "given": ("Anna", "Maria"),
        "birth_date": date(1980, 5, 17),
        "sex": "female",
    }
    return Person(**values | traits)


def said(family: str = "", *given: str, **more) -> Demographics:
    """Return what a document says of its patient."""
    names = (PersonName(family=family, given=given),) if family or given else ()
    return Demographics(**{"names": names} | more)


def differing(person: Person, *, of: Demographics) -> list[Trait]:
    """Return the traits in which a document differs from a person."""
    return traits_of(compare(person, of))


def traits_of(comparison: Comparison) -> list[Trait]:
    """Return the traits of a comparison that differ."""
    return [difference.trait for difference in comparison.differences]
