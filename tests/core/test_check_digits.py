"""Check digits compared with their definitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.check_digits import luhn_digit, verhoeff_digit
from tests.support.check_digits import luhn_holds, verhoeff_holds

DIGITS = st.text("0123456789", min_size=1, max_size=20)


@given(DIGITS)
def test_verhoeff_digit_is_the_only_valid_one(digits):
    assert [d for d in "0123456789" if verhoeff_holds(digits + d)] == [verhoeff_digit(digits)]


@given(DIGITS)
def test_luhn_digit_is_the_only_valid_one(digits):
    assert [d for d in "0123456789" if luhn_holds(digits + d)] == [luhn_digit(digits)]


@pytest.mark.parametrize(("digits", "check"), [("236", "3"), ("12345", "1"), ("142857", "0")])
def test_verhoeff_digit_of_published_examples(digits, check):
    assert verhoeff_digit(digits) == check


@given(DIGITS, st.data())
def test_verhoeff_detects_wrong_digit_and_adjacent_swap(digits, data):
    number = digits + verhoeff_digit(digits)
    place = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != number[place]]))
    assert not verhoeff_holds(number[:place] + other + number[place + 1 :])
    left = data.draw(st.integers(0, len(number) - 2))
    swapped = number[:left] + number[left + 1] + number[left] + number[left + 2 :]
    assert swapped == number or not verhoeff_holds(swapped)
