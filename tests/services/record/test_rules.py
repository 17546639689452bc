"""The pure rules of the record, and the codec of its ids."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import parse_logical_id
from esante.core.storage import uuid7
from esante.identity.access import Confidentiality
from esante.identity.directory import Identifier, Person
from esante.services.record import CATEGORIES, category_of_type, rules

MATRICULE = "urn:oid:1.3.182.4.4"
LEVELS = st.sampled_from(Confidentiality)


def _person(*identifiers: Identifier) -> Person:
    return Person(
        id=uuid7(),
        identifiers=identifiers,
        family="Weber-Größ",
        given=("Anna",),
        birth_date=date(1980, 5, 17),
        sex="female",
    )


@given(st.uuids(), st.uuids())
def test_a_logical_id_gives_back_both_keys(person, thing):
    assert parse_logical_id(person.hex + thing.hex) == (person, thing)


@given(st.text(max_size=70))
def test_what_is_no_logical_id_gives_nothing(text):
    keys = parse_logical_id(text)
    assert keys is None or text == keys[0].hex + keys[1].hex


@given(LEVELS, LEVELS, LEVELS)
def test_the_stricter_level_is_an_upper_bound(one, other, third):
    assert rules.stricter(one, other) == rules.stricter(other, one)
    assert rules.stricter(one, rules.stricter(other, third)) == rules.stricter(rules.stricter(one, other), third)
    assert rules.stricter(one, Confidentiality.HIDDEN) is Confidentiality.HIDDEN
    assert rules.stricter(one, Confidentiality.NORMAL) is one


@given(st.text(max_size=40))
def test_folding_is_stable_under_case_and_accents(text):
    assert rules.folded(rules.folded(text)) == rules.folded(text)


def test_folding_takes_accents_away():
    assert rules.folded("Évaluation À Größe") == "evaluation a grosse"


@pytest.mark.parametrize(
    ("identifiers", "family", "born", "same"),
    [
        ([(MATRICULE, "1980051712345")], "", "", True),
        ([(MATRICULE, "1980 0517 123 45")], "", "", True),
        ([(MATRICULE, "1980051754321")], "Weber-Größ", "1980-05-17", False),
        ([(MATRICULE, "19800517123")], "", "", None),
        ([("urn:oid:2.999", "1980051754321")], "", "", None),
        ([("urn:oid:2.999", "1"), (MATRICULE, "1980051712345")], "", "", True),
        ([], "weber-gross", "1980-05-17", True),
        ([], "WEBER-GRÖSS", "1980-05-17T00:00:00Z", True),
        ([], "weber-gross", "1980-05-18", None),
        ([], "", "1980-05-17", None),
        ([], "Muller", "1980-05-17", None),
    ],
)
def test_whose_document_it_is(identifiers, family, born, same):
    person = _person(Identifier(MATRICULE, "1980051712345"))
    assert rules.same_subject(person, identifiers, family, born) is same


def test_every_type_belongs_to_one_category():
    codes = [type_.code for category in CATEGORIES.values() for type_ in category.types]
    assert len(codes) == len(set(codes))
    for category in CATEGORIES.values():
        for type_ in category.types:
            assert category_of_type(type_.code) is category
    assert category_of_type("8867-4") is None


@given(st.sampled_from([type_.code for category in CATEGORIES.values() for type_ in category.types]))
def test_loinc_codes_have_their_check_digit(code):
    """The digit after the hyphen is the Luhn digit (mod 10) of those before it (LOINC Users' Guide, appendix)."""
    digits, _, check = code.partition("-")
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    assert int(check) == -total % 10
