"""Duplicates in batch: `splink` weighs a pair as the rules do online, and finds what they would."""

from datetime import date
from itertools import combinations
from random import Random

import pytest

from esante.core.storage import uuid7
from esante.identity.directory.matching.batch import find_pairs, propose_pairs
from esante.identity.directory.matching.model import Traits
from esante.identity.directory.matching.rules import compare
from esante.identity.directory.matching.weights import match_weights

WEIGHTS = match_weights(date(2026, 11, 30))


def a_population(seed, size):
    """Entries of few names and days, so that many pairs agree in part."""
    random = Random(seed)
    return {
        uuid7(): Traits(
            matricule=random.choice(["", "", "1980040900156", "1980040900157", "19800409012"]),
            family=random.choice(["muller", "mueller", "muller weber", "schmit", "schmitt", "li"]),
            given=random.choice(["", "anna", "anna maria", "maria", "a", "anne", "jos"]),
            birth_date=random.choice([date(1980, 4, 9), date(1980, 9, 4), date(1981, 4, 9), date(1950, 1, 1)]),
            sex=random.choice(["", "male", "female"]),
            street=random.choice(["", "1 rue du test", "2 rue du test"]),
            postal_code=random.choice(["", "1234", "5678"]),
        )
        for _ in range(size)
    }


def are_blocked(one, other):
    same_name = one.family == other.family and one.first_given == other.first_given and one.given and other.given
    return one.birth_date == other.birth_date or bool(same_name)


def test_splink_gives_every_pair_the_weight_that_the_rules_give_it():
    entries = a_population(7, 150)
    found = {(first, second): bits for first, second, bits in propose_pairs(entries, WEIGHTS)}
    expected = {}
    for first, second in combinations(sorted(entries), 2):
        bits = compare(entries[first], entries[second], WEIGHTS).bits
        if bits >= WEIGHTS.possible_bits and are_blocked(entries[first], entries[second]):
            expected[first, second] = bits
    assert len(expected) > 50
    assert found == {pair: pytest.approx(bits, abs=1e-6) for pair, bits in expected.items()}


def test_pairs_in_another_alphabet_are_graded_by_the_rules():
    entries = {
        uuid7(): Traits(family=family, given="анна", birth_date=date(1980, 4, 9), sex="female")
        for family in ("иванова", "иванава", "петрова")
    }
    [pair] = find_pairs(entries, WEIGHTS)
    level = {weight.trait: weight.level for weight in pair.agreement.weights}
    assert level["family"] == "similar"
    assert {entries[pair.first].family, entries[pair.second].family} == {"иванова", "иванава"}


@pytest.mark.parametrize("size", [0, 1])
def test_directory_of_at_most_one_entry_has_no_pairs(size):
    assert list(find_pairs(a_population(1, size), WEIGHTS)) == []
