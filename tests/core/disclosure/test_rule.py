"""The rule of disclosure control by date, and the noise on counts of people."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.disclosure import StatisticsKey, noise, parse_rules, rule_on, rules_text

RULE, KEY = rule_on(date(2026, 10, 1)), StatisticsKey(b"t" * 32)


@given(st.integers(0, 10_000), st.integers(0, 2**40))
def test_noise_is_bounded_keeps_zero_and_is_deterministic(value, people):
    step = noise(value, people, RULE, KEY)
    assert abs(step) <= RULE.noise
    assert value + step >= 0
    assert value or not step
    assert step == noise(value, people, RULE, StatisticsKey(b"t" * 32))


@pytest.mark.parametrize("value", [1, 2, 3, 50])
def test_noise_is_unbiased_and_depends_on_key(value):
    steps = [noise(value, people, RULE, KEY) for people in range(8_000)]
    assert abs(sum(steps) / len(steps)) < 0.06
    assert len(set(steps)) == 2 * min(value, RULE.noise) + 1
    assert steps != [noise(value, people, RULE, StatisticsKey(b"u" * 32)) for people in range(8_000)]


def test_newest_rule_that_has_begun_holds():
    row = rules_text()[rules_text().index("[[rule]]") :]
    later = row.replace("2000-01-01", "2030-01-01").replace("threshold = 5", "threshold = 10")
    rules = parse_rules(later + row)
    assert [(one.valid_from.year, one.threshold) for one in rules] == [(2000, 5), (2030, 10)]


def test_pseudonyms_depend_on_the_secret_and_fit_into_a_bigint():
    one, other = KEY.pseudonym_of("person"), StatisticsKey(b"u" * 32).pseudonym_of("person")
    assert one != other and one == KEY.pseudonym_of("person") and 0 <= one < 2**63
