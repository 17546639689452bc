"""The pure rules of the record."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.identity.access import Confidentiality
from esante.identity.directory import Identifier, Person
from esante.services.record import rules

MATRICULE = "urn:oid:1.3.182.4.4"
LEVELS = st.sampled_from(Confidentiality)


def person_with(*identifiers: Identifier) -> Person:
    return Person(
        id=uuid7(),
        identifiers=identifiers,
        family="Weber-Größ",
        given=("Anna",),
        birth_date=date(1980, 5, 17),
        sex="female",
    )


@given(LEVELS, LEVELS, LEVELS)
def test_stricter_level_is_upper_bound(one, other, third):
    assert rules.stricter(one, other) == rules.stricter(other, one)
    assert rules.stricter(one, rules.stricter(other, third)) == rules.stricter(rules.stricter(one, other), third)
    assert rules.stricter(one, Confidentiality.HIDDEN) is Confidentiality.HIDDEN
    assert rules.stricter(one, Confidentiality.NORMAL) is one


@given(st.text(max_size=40))
def test_fold_text_is_idempotent(text):
    assert rules.fold_text(rules.fold_text(text)) == rules.fold_text(text)


def test_fold_text_removes_accents():
    assert rules.fold_text("Évaluation À Größe") == "evaluation a grosse"


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
def test_subject_is_matched_by_identifier_or_name(identifiers, family, born, same):
    person = person_with(Identifier(MATRICULE, "1980051712345"))
    assert rules.is_same_subject(person, identifiers, family, born) is same
