"""How two entries agree: levels, weights, grades."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.identity.directory import Address, Identifier
from esante.identity.directory.matching.model import TRAITS, Agreement, Match, Traits, TraitWeight
from esante.identity.directory.matching.rules import compare, is_one_edit, near_dates, rank, traits_of
from esante.identity.directory.matching.weights import match_weights, parse_weights
from tests.support.directory_entries import MATRICULE, MRN, a_person

WEIGHTS = match_weights(date(2026, 11, 30))
ANNA = Traits(
    matricule="1980040900156",
    family="muller",
    given="anna maria",
    birth_date=date(1980, 4, 9),
    sex="female",
    street="1 rue du test",
    postal_code="1234",
)
letters = st.text("abcx", max_size=6)
days = st.dates(date(1900, 1, 1), date(2030, 12, 31))
traits = st.builds(
    Traits,
    matricule=st.sampled_from(["", "123", "124", "567"]),
    identifiers=st.sampled_from([frozenset(), frozenset({Identifier("urn:a", "1")})]),
    family=st.sampled_from(["", "muller", "mueller", "muller weber", "schmit"]),
    given=st.sampled_from(["", "anna", "anna maria", "maria", "a", "anne"]),
    birth_date=st.none() | st.sampled_from([date(1980, 4, 9), date(1980, 9, 4), date(1981, 4, 9), date(1950, 1, 1)]),
    sex=st.sampled_from(["", "male", "female"]),
    street=st.sampled_from(["", "1 rue du test"]),
    postal_code=st.sampled_from(["", "1234", "5678"]),
)


def levels(one, other):
    return {weight.trait: weight.level for weight in compare(one, other, WEIGHTS).weights}


@pytest.mark.parametrize(
    ("change", "trait", "level"),
    [
        ({"matricule": "1980040900157"}, "matricule", "similar"),
        ({"matricule": "1975120100231"}, "matricule", "different"),
        ({"matricule": ""}, "matricule", "absent"),
        ({"family": "weber muller"}, "family", "contained"),
        ({"family": "mueller"}, "family", "similar"),
        ({"family": "weber"}, "family", "different"),
        ({"given": "anna"}, "given", "first"),
        ({"given": "maria"}, "given", "contained"),
        ({"given": "a"}, "given", "initial"),
        ({"given": "anne"}, "given", "similar"),
        ({"given": "josette"}, "given", "different"),
        ({"birth_date": date(1980, 9, 4)}, "birth_date", "near"),
        ({"birth_date": date(1981, 4, 9)}, "birth_date", "near"),
        ({"birth_date": date(1955, 1, 1)}, "birth_date", "different"),
        ({"birth_date": None}, "birth_date", "absent"),
        ({"sex": "male"}, "sex", "different"),
        ({"street": "2 rue du test"}, "address", "postal_code"),
        ({"postal_code": "9999"}, "address", "different"),
        ({"postal_code": ""}, "address", "absent"),
    ],
)
def test_changed_trait_has_its_level_and_all_others_stay_same(change, trait, level):
    found = levels(ANNA, replace(ANNA, **change))
    assert found.pop(trait) == level
    assert set(found.values()) <= {"same", "absent"}


@given(traits, traits)
def test_comparison_is_symmetric_and_sums_its_weights(one, other):
    there, back = compare(one, other, WEIGHTS), compare(other, one, WEIGHTS)
    assert there == back
    assert [weight.trait for weight in there.weights] == list(TRAITS)
    assert there.bits == pytest.approx(WEIGHTS.prior_bits + sum(weight.bits for weight in there.weights))
    assert 0 <= there.probability <= 1


@given(traits, traits)
def test_certain_is_never_without_names_and_birth_date(one, other):
    found = compare(one, other, WEIGHTS)
    if found.grade == "certain":
        stated = {weight.trait: weight.level for weight in found.weights}
        assert stated["birth_date"] == "same"
        assert stated["family"] not in ("absent", "different")
        assert stated["matricule"] not in ("different", "similar")


def plain_edits(word):
    """All words at one edit of a word, made one by one."""
    alphabet = "abcx"
    found = {word[:i] + word[i + 1 :] for i in range(len(word))}
    found |= {word[:i] + c + word[i + 1 :] for i in range(len(word)) for c in alphabet}
    found |= {word[:i] + c + word[i:] for i in range(len(word) + 1) for c in alphabet}
    found |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    return found - {word}


@given(letters, letters)
def test_one_edit_is_what_the_plain_list_of_edits_holds(one, other):
    assert is_one_edit(one, other) == (other in plain_edits(one))


@given(days)
def test_near_dates_are_all_that_compare_as_near(day):
    near = set(near_dates(day))
    assert day in near
    for other in near - {day}:
        assert levels(Traits(birth_date=day), Traits(birth_date=other))["birth_date"] == "near"
    for distance in range(-400, 400):
        other = day + timedelta(days=distance)
        level = levels(Traits(birth_date=day), Traits(birth_date=other))["birth_date"]
        assert (level in ("same", "near")) == (other in near)


def test_twin_of_another_given_name_is_not_certain_and_weighs_less_than_the_entry_itself():
    twin = replace(ANNA, given="anne", matricule="")
    assert compare(replace(ANNA, matricule=""), twin, WEIGHTS).grade != "certain"
    assert compare(ANNA, twin, WEIGHTS).bits < compare(ANNA, replace(ANNA, matricule=""), WEIGHTS).bits


def test_twin_of_the_same_names_with_another_matricule_is_not_certain():
    assert compare(ANNA, replace(ANNA, matricule="1980040900242"), WEIGHTS).grade != "certain"


def a_match(grade, bits, level="absent"):
    weight = TraitWeight("matricule", level, 0.0)
    return Match(person=a_person(), agreement=Agreement(weights=(weight,), bits=bits, grade=grade))


@pytest.mark.parametrize(
    ("matches", "grades"),
    [
        ([a_match("certain", 30)], ["certain"]),
        ([a_match("possible", 1), a_match("certain", 30)], ["certain", "possible"]),
        ([a_match("certain", 30), a_match("certain", 31)], ["probable", "probable"]),
        ([a_match("certain", 30), a_match("probable", 9)], ["probable", "probable"]),
        ([a_match("certain", 30, "same"), a_match("probable", 9)], ["certain", "probable"]),
        ([a_match("certainly-not", -5)], []),
    ],
)
def test_certain_stands_only_where_no_other_entry_makes_it_doubtful(matches, grades):
    assert [match.agreement.grade for match in rank(matches)] == grades


def test_entry_gives_normalised_traits():
    person = a_person(
        identifiers=(Identifier(MATRICULE, "1980040900156"), Identifier(MRN, "M-1")),
        family="Müller-Weber",
        given=("Élise", "Anne"),
        sex="unknown",
        address=Address("1, rue du Test", "L-1234", "Lëtzebuerg"),
    )
    found = traits_of(person, MATRICULE)
    assert (found.family, found.given, found.first_given) == ("muller weber", "elise anne", "elise")
    assert (found.matricule, found.identifiers) == ("1980040900156", frozenset({Identifier(MRN, "M-1")}))
    assert (found.sex, found.street, found.postal_code) == ("", "1 rue du test", "L1234")


def a_period(**changes):
    numbers = {"same": {"m": 0.9, "u": 0.1}}
    period = {
        "valid_from": date(2020, 1, 1),
        "legal_source": "",
        "verified": False,
        "prior_bits": -10.0,
        "certain_bits": 20.0,
        "probable_bits": 8.0,
        "possible_bits": 0.0,
        "levels": dict.fromkeys(TRAITS, numbers),
        "certain": [{"family": ["same"]}],
    }
    return {**period, **changes}


def test_weights_without_a_trait_or_with_an_unknown_level_are_refused():
    assert parse_weights(a_period()).bits("family", "same") == pytest.approx(3.1699, abs=1e-4)
    with pytest.raises(ValueError, match="need levels"):
        parse_weights(a_period(levels={"family": {}}))
    with pytest.raises(ValueError, match="has no level"):
        parse_weights(a_period(certain=[{"family": ["alike"]}]))


def test_matches_are_ordered_best_first_and_equal_ones_by_id():
    best, first, second = a_match("probable", 9), a_match("possible", 1), a_match("possible", 1)
    assert uuid7() > second.person.id
    ordered = sorted([first, second], key=lambda match: match.person.id)
    assert rank([second, best, first]) == [best, *ordered]
