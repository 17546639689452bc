"""The dated rules of access: complete, with their sources, and refused when they are wrong."""

from datetime import date

import pytest

from esante.identity.access import GrantKind, matrix, policy, rights
from esante.identity.access.matrix import parse_matrix, parse_policies
from esante.identity.directory import catalogue

HEAD = "profession,category,read,write,valid_from,valid_to,legal_source,verified\n"
CATEGORIES = {
    "discharge_letter",
    "consultation_report",
    "imaging_report",
    "laboratory_report",
    "vaccination_history",
    "patient_summary",
    "prescription",
    "operation_report",
    "letter",
    "advance_directive",
    "patient_note",
}


def test_matrix_has_every_holder_and_category():
    lists = catalogue()
    holders = {"patient", *lists.professions, *lists.organization_kinds}
    assert set(rights(date(2026, 1, 1))) == {(holder, category) for holder in holders for category in CATEGORIES}


def test_verified_lines_name_an_article():
    assert all(right.legal_source for right in matrix())
    assert not [right for right in matrix() if right.verified and "not read" in right.legal_source]


def test_no_rights_before_first_period():
    assert rights(date(2019, 12, 31)) == {}


def test_lines_are_in_force_by_day():
    text = HEAD + "doctor,letter,yes,yes,2020-01-01,2027-01-01,x,no\ndoctor,letter,yes,no,2027-01-01,,x,no\n"
    old, new = parse_matrix(text)
    assert (old.is_in_force(date(2026, 12, 31)), old.is_in_force(date(2027, 1, 1))) == (True, False)
    assert (new.is_in_force(date(2026, 12, 31)), new.is_in_force(date(2027, 1, 1))) == (False, True)


@pytest.mark.parametrize(
    "line",
    [
        "doctor,letter,perhaps,yes,2020-01-01,,x,no",
        "doctor,letter,yes,yes,yesterday,,x,no",
        "doctor,letter,yes,yes,2020-01-01,,,no",
        ",letter,yes,yes,2020-01-01,,x,no",
        "doctor,letter",
        "nurse,letter,yes,yes,2025-01-01,,x,no",
    ],
)
def test_invalid_line_is_refused_with_its_number(line):
    with pytest.raises(ValueError, match="line 3"):
        parse_matrix(HEAD + "nurse,letter,yes,yes,2020-01-01,,x,no\n" + line + "\n")


def test_policy_covers_every_grant_kind_but_no_hidden_document():
    terms = policy(date(2026, 1, 1))
    assert set(terms.reach) == set(GrantKind)
    assert not any("hidden" in levels for levels in terms.reach.values())
    assert len(set(terms.code_alphabet)) == len(terms.code_alphabet)
    assert not set(terms.code_alphabet) & set("0O1IL5S8B2ZUV")


def test_policy_without_period_is_refused():
    with pytest.raises(ValueError, match="there is no"):
        parse_policies("period = []")


def test_six_hundred_guesses_and_two_hundred_admissions_pass_no_limit_in_force():
    terms = policy(date(2026, 11, 29))
    assert max(terms.unknown_per_requester, terms.unknown_per_organization) <= 300
    largest_hospital = 350
    assert terms.admissions.most_per_hour(largest_hospital) < 189
    assert terms.admissions.most_per_hour(0) < terms.admissions.most_per_day(0)
