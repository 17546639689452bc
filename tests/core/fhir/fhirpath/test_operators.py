"""Operators of FHIRPath."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fhir.samples import patient
from tests.support.fhirpath_evaluation import evaluate, evaluate_single

ARITHMETIC = {
    "1.5 'g' + 500 'mg'": "2000.0 'mg'",
    "3 'm' + 3 'cm'": "303 'cm'",
    "3 'cm' - 3 'm'": "-297 'cm'",
    "2 + 2 '1'": "4 '1'",
    "2 + 2 'cm'": "",
    "12 'cm' * 3 'cm'": "36 'cm2'",
    "12 'cm2' / 3 'cm'": "4 'cm'",
    "6 'cm' / 3 'cm'": "2 '1'",
    "10 'm/s' * 10 's'": "100 'm'",
    "60 / 1 's'": "60 '/s'",
    "6 '{tablet}/d' * 2 'd'": "12 '{tablet}/d.d'",
    "6 months + 1 year": "18 months",
    "(2 'kg').toQuantity('g')": "2000 'g'",
    "10 '10*3/uL' = 10 '10*9/L'": "True",
    "5 'mmol/L' > 4000 'umol/L'": "True",
    "1 'mg' = 1 'mL'": "",
    "1 '[in_i]' = 2.54 'cm'": "True",
    "120 'mm[Hg]' > 10 'kPa'": "True",
    "37 'Cel' > 36 'Cel'": "True",
    "2147483647 + 1": "",
    "(1 | 2 | 3).aggregate($total + $this, 0)": "6",
    "@2024-01-31 + 1 month": "2024-02-29",
    "@2024-02-29 + 1 year": "2025-02-28",
    "@2024 + 24 months": "2026",
    "@T23:30 + 1 hour": "00:30",
    "@2024-01-01T00:00:00Z - 1 second": "2023-12-31T23:59:59Z",
    "1 year.toQuantity('a')": "1 'a'",
    "1 'a'.toQuantity('year')": "1 year",
    "7 days.toQuantity('wk')": "1 'wk'",
    "182.5 days.toQuantity('a')": "0.5 'a'",
    "365 'd'.toQuantity('a') < 1 'a'": "True",
    "1 year.toQuantity('kg')": "",
}

#: Numbers at the precision of the one with fewer digits, of which trailing zeros are none; years and months of the
#: calendar beside UCUM's; texts without case. N1, sections 4.1.6, 5.5.8 and 6.1.2.
EQUIVALENT = (
    "1.001 ~ 1.000", "1.20 ~ 1.24", "2.50 ~ 2.49", "1.0 ~ 1.04", "(-1.20) ~ (-1.24)", "1.25 ~ 1.3", "100 ~ 100.4",
    "1 year ~ 1 'a'", "1 month ~ 1 'mo'", "12 'mo' ~ 1 year", "1 week ~ 1 'wk'", "1 second ~ 1 's'",
    "1 year ~ 365 days", "1 year ~ 12 months", "1 month ~ 30 days", "21 'mm' ~ 2 'cm'", "4 'g' ~ 4040 'mg'",
    "'a b' ~ 'A\tB'", "10000000000000000000000000000000.5 ~ 10000000000000000000000000000000.54",
)  # fmt: skip
NOT_EQUIVALENT = (
    "1.20 ~ 1.26", "1.2 ~ 1.3", "101 ~ 100.4", "1 year ~ 2 'a'", "1 year ~ 1 'mo'", "1 year ~ 1 'kg'",
    "'a  b' ~ 'a b'", "' a' ~ 'a'", "1 'cm' ~ 1 'cm2'",
)  # fmt: skip


@pytest.mark.parametrize("expression", EQUIVALENT)
def test_values_that_differ_only_in_precision_or_system_are_equivalent(expression):
    assert evaluate_single(expression) is True
    assert evaluate_single(expression.replace("~", "!~")) is False


@pytest.mark.parametrize("expression", NOT_EQUIVALENT)
def test_values_that_differ_otherwise_are_not_equivalent(expression):
    assert evaluate_single(expression) is False
    assert evaluate_single(expression.replace("~", "!~")) is True


#: None: neither equal nor different (FHIRPath N1, section 6.1.1; the official tests for the years).
EQUALITY_OF_DURATIONS = {
    "1 year = 1 'a'": None,
    "1 month > 1 'mo'": None,
    "1 year = 365 days": True,
    "1 month = 31 days": False,
    "1 month > 29 days": True,
    "1 year = 12 months": True,
    "1 second = 1 's'": True,
}


@pytest.mark.parametrize("expression", EQUALITY_OF_DURATIONS)
def test_calendar_durations_equal_those_that_they_convert_to(expression):
    assert evaluate_single(expression) is EQUALITY_OF_DURATIONS[expression]


def test_backslash_before_another_character_is_left_out():
    assert evaluate_single(r"'\p\3\u005'") == "p3u005"
    assert evaluate_single(r"'\uD83D\uDD25'") == "🔥"


@pytest.mark.parametrize("expression", ARITHMETIC)
def test_calculation_gives_expected_value(expression):
    assert ", ".join(map(str, evaluate(expression, patient()))) == ARITHMETIC[expression]


SIGNED = st.decimals(min_value=-(10**6), max_value=10**6, places=2) | st.integers(-(10**4), 10**4)


@given(SIGNED, SIGNED, st.sampled_from(["+", "-", "*", "/", "div", "mod"]))
def test_arithmetic_agrees_with_decimal(left, right, operator):
    one, other = Decimal(left), Decimal(right)
    if operator in ("/", "div", "mod") and not other:
        expected = None
    else:
        whole = {"div": lambda: int(one / other), "mod": lambda: one - other * int(one / other)}
        plain = {
            "+": lambda: one + other,
            "-": lambda: one - other,
            "*": lambda: one * other,
            "/": lambda: one / other,
        }
        expected = (whole | plain)[operator]()
    assert evaluate_single(f"({left:f}) {operator} ({right:f})" if isinstance(left, Decimal) and isinstance(right, Decimal) else f"({left}) {operator} ({right})") == expected  # fmt: skip
