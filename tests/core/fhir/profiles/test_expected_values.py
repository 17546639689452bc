"""Comparison of values with the fixed values and patterns of a profile."""

from decimal import Decimal

import pytest

from esante.core.fhir.profiles.expected_values import matches_expected


@pytest.mark.parametrize(
    ("value", "wanted", "whole", "expected"),
    [(Decimal("1.50"), "1.5", True, True), (Decimal("5.0"), 5, True, True), (5, "abc", True, False), (True, 1, True, False),
     (False, False, True, True), (1, True, False, False), ("a", "a", True, True), ({"a": 1, "b": 2}, {"a": 1}, True, False),
     ({"a": 1, "b": 2}, {"a": 1}, False, True), ([1, 2], [2], False, True), ([1, 2], [2], True, False), ([], [2], False, False),
     ("a", ["a"], False, False), ("a", {"a": 1}, False, False), ({"b": 1}, {"a": 1}, False, False)],
)  # fmt: skip
def test_value_matches_exactly_or_as_a_pattern(value, wanted, whole, expected):
    assert matches_expected(value, wanted, exact=whole) is expected
