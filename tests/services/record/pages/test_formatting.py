"""Formatting of values, dates and ranges for readers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.record.pages import formatting


def test_value_in_middle_of_range_is_in_middle_of_bar():
    assert formatting.range_bar("5", "g/L", "4 g/L", "6 g/L") == formatting.RangeBar(25, 50, 50)


@pytest.mark.parametrize(
    ("value", "unit", "low", "high"),
    [
        ("high", "g/L", "4 g/L", "6 g/L"),
        ("5", "g/L", "", ""),
        ("5", "mg/dL", "4 g/L", "6 g/L"),
        ("5", "", "6", "4"),
        ("5", "", "0", ""),
    ],
)
def test_misleading_range_has_no_bar(value, unit, low, high):
    assert formatting.range_bar(value, unit, low, high) is None


@given(st.floats(-1e9, 1e9), st.floats(-1e6, 1e6), st.floats(0.001, 1e6))
def test_mark_is_on_bar_and_on_correct_side_of_range(value, low, width):
    high = low + width
    bar = formatting.range_bar(f"{value:.6f}", "", f"{low:.6f}", f"{high:.6f}")
    assert bar is None or 0 <= bar.mark <= 100
    if bar and value > high + 0.2 * width:
        assert bar.mark > bar.start + bar.width
    if bar and value < low - 0.2 * width:
        assert bar.mark < bar.start


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026", "2026"),
        ("2026-03", "March 2026"),
        ("2026-03-09", "9 March 2026"),
        ("2026-03-09T10:00:00Z", "9 March 2026, 11:00"),
        ("last <b>winter</b>", "last <b>winter</b>"),
        ("2026-13", "2026-13"),
    ],
)
def test_dates_of_any_precision_are_formatted(text, shown):
    assert formatting.format_day(text, "en") == shown


def test_common_unit_appears_once():
    assert formatting.range_text("70 mg/dL", "100 mg/dL") == "70 – 100 mg/dL"
    assert formatting.range_text("70 mg/dL", "1 g/L") == "70 mg/dL – 1 g/L"
    assert formatting.range_text("", "30 mg/g") == "≤ 30 mg/g"
    assert formatting.range_text("", "") == ""


def test_long_blank_unit_takes_linear_time():
    blanks = " " * 1_000_000
    assert formatting.range_text(f"1 a{blanks}b", f"2 a{blanks}b") == f"1 – 2 a{blanks}b"
    assert formatting.range_bar("1", "mg", f"{blanks}< 0 mg", f"< {blanks}4{blanks}mg") is not None
