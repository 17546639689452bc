"""Boundaries of numbers."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fhirpath_evaluation import evaluate_single


@given(st.decimals(-1000, 1000, places=4), st.integers(0, 8))
def test_boundaries_enclose_number_at_requested_precision(number, digits):
    low, high = (evaluate_single(f"({number:f}).{side}Boundary({digits})") for side in ("low", "high"))
    assert low <= number <= high
    assert -low.as_tuple().exponent == -high.as_tuple().exponent == digits
