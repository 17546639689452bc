"""Operators of FHIRPath."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fhir.samples import patient
from tests.support.fhirpath_evaluation import evaluate, evaluate_single

ARITHMETIC = {
    "1.5 'g' + 500 'mg'": "2.0 'g'",
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
}


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
