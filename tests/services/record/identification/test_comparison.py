"""Comparison of coded demographics with the person of the record."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.identity.directory import matricule
from esante.services.record.identification.comparison import compare, compare_with_nobody, is_on_day
from esante.services.record.identification.model import Comparison, Demographics, Difference, Trait, merge
from tests.support.identification import MATRICULE, OTHERS, OWN, anna, differing, said

IDENTIFIER, NAME, BIRTH_DATE, SEX = Trait
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("document", "differences"),
    [
        (said("Weber", "Anna", birth_date="1980-05-17", sex="female"), []),
        (said("WEBER-KLEIN", "Anna", birth_date="1980"), []),
        (said("Weber", "Eva", birth_date="1980-05-17", sex="female"), [NAME]),  # the twin sister
        (said("Weber", "Paul", birth_date="1980-05-17", sex="male"), [NAME]),  # the twin brother: sex adds nothing
        (said("Weber", "Anna", birth_date="1980-05-18"), [BIRTH_DATE]),
        (said("Weber", "Anna", birth_date="1981"), [BIRTH_DATE]),
        (said("Dupont", "Jean", birth_date="1961-04-03", sex="male"), [NAME, BIRTH_DATE]),
        (said("Weber", "Anna", birth_date="1980-05-17", sex="male"), [SEX]),
        (said("Weber", "Anna", sex="other"), []),
        (said("Weber", "Anna", sex="unknown"), []),
        (said(), []),
        (said(birth_date="no date"), []),
        (said(identifiers=((MATRICULE, OWN),)), []),
        (said(identifiers=((MATRICULE, f"{OWN[:4]} {OWN[4:8]} {OWN[8:]}"),)), []),
        (said(identifiers=((MATRICULE, OTHERS),)), [IDENTIFIER]),
        (said(identifiers=(("urn:oid:2.999.7", "47110"),)), [IDENTIFIER]),
        (said(identifiers=(("urn:oid:2.999.8", "47110"),)), []),  # of a system in which the person has none
        (said(identifiers=((MATRICULE, "80051712345"),)), []),  # the old form has 11 digits
        (said(identifiers=(("urn:oid:2.999.7", "4711"), ("urn:oid:2.999.7", "1"))), []),
        # One that is the person's does not make up for a matricule of somebody else.
        (said(identifiers=(("urn:oid:2.999.7", "4711"), (MATRICULE, OTHERS))), [IDENTIFIER]),
    ],
)
def test_differences_are_found(document, differences):
    assert differing(anna(), of=document) == differences


def test_one_of_several_names_is_enough():
    names = (*said("Klein", "Anna").names, *said("Weber", "Anna").names)
    assert differing(anna(), of=Demographics(names=names)) == []


@pytest.mark.parametrize(
    ("document", "confirmed"),
    [
        (said(identifiers=((MATRICULE, OWN),)), True),
        (said("Weber", "Anna", birth_date="1980-05-17"), True),
        (said("Weber", birth_date="1980-05-17T00:00:00Z"), True),
        (said("Weber", "Anna", birth_date="1980"), False),
        (said("Weber", "Anna"), False),
        (said(birth_date="1980-05-17"), False),
        (said("Dupont", birth_date="1980-05-17", identifiers=((MATRICULE, OWN),)), False),
        (said(), False),
    ],
)
def test_identifier_or_name_with_whole_birth_date_confirm(document, confirmed):
    assert compare(anna(), document).confirmed is confirmed


@pytest.mark.parametrize(
    ("document", "severe"),
    [
        (said(identifiers=((MATRICULE, OTHERS),)), True),
        (said(identifiers=((MATRICULE, "1961040312345"),)), False),  # a slip of the pen: its check digits are wrong
        (said(identifiers=(("urn:oid:2.999.7", "1"),)), False),
        (said("Dupont", birth_date="1961-04-03"), True),
        (said("Dupont"), False),
        (said(birth_date="1961-04-03"), False),
        (said("Weber", sex="male"), False),
    ],
)
def test_severity_follows_from_what_differs(document, severe):
    comparison = compare(anna(), document)
    assert comparison.differences
    assert comparison.severe is severe


def test_most_severe_of_several_identifiers_is_named():
    comparison = compare(anna(), said(identifiers=(("urn:oid:2.999.7", "1"), (MATRICULE, OTHERS))))
    assert comparison.differences == (Difference(Trait.IDENTIFIER, OTHERS, severe=True),)


@given(DAYS, DAYS)
def test_whole_dates_are_compared_exactly(one, other):
    assert is_on_day(one.isoformat(), other) is (one == other)


@given(DAYS)
def test_date_of_less_precision_fits_its_days(day):
    for text in (f"{day:%Y}", f"{day:%Y-%m}", f"{day:%Y}-00-00", f"{day:%Y-%m}-00", f"{day:%Y-%m-%d}T10:00:00+01:00"):
        assert is_on_day(text, day) is True


@given(st.text(max_size=12).filter(lambda text: not text[:4].isdigit()))
def test_what_is_no_date_is_not_compared(text):
    assert is_on_day(text, date(1980, 5, 17)) is None


@given(DAYS, st.integers(0, 999))
def test_own_matricule_never_differs_and_another_always_does(day, serial):
    own = matricule(day, serial)
    document = said(identifiers=((MATRICULE, own),))
    assert differing(anna(), of=document) == ([] if own == OWN else [IDENTIFIER])


@given(st.sets(st.sampled_from(list(Trait))), st.sets(st.sampled_from(list(Trait))))
def test_merged_comparison_has_every_difference_once(one, other):
    merged = merge(Comparison(tuple(map(Difference, traits)), confirmed=True) for traits in (one, other))
    assert [difference.trait for difference in merged.differences] == [
        trait for trait in Trait if trait in one | other
    ]
    assert merged.confirmed is not bool(one | other)


def test_unknown_person_is_answered_like_one_of_whom_nothing_was_guessed_right():
    asked = ((MATRICULE, OWN),)
    for document in (
        said("Dupont", "Jean", birth_date="1961-04-03", sex="male", identifiers=asked),
        said("Dupont", "Jean", identifiers=asked),
        said(birth_date="1961"),
        said(identifiers=((MATRICULE, OTHERS),)),
        said(sex="male"),
        said("Dupont", sex="female", identifiers=((MATRICULE, OTHERS),)),
        said(identifiers=asked),
    ):
        assert compare_with_nobody(asked, document).differences == compare(anna(), document).differences
