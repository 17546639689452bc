"""Dates and tokens in the parameters of searches."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir.rest import parse_date_range, parse_token
from esante.core.web import Problem

LOCAL = ZoneInfo("Europe/Luxembourg")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=LOCAL), datetime(2027, 1, 1, tzinfo=LOCAL)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=LOCAL), datetime(2027, 1, 1, tzinfo=LOCAL)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=LOCAL), datetime(2024, 3, 1, tzinfo=LOCAL)),
        (
            "2026-05-01T10:30:00+02:00",
            datetime(2026, 5, 1, 8, 30, tzinfo=UTC),
            datetime(2026, 5, 1, 8, 30, 1, tzinfo=UTC),
        ),
    ],
)
def test_date_covers_the_range_of_its_precision(text, low, high):
    found = parse_date_range(f"ge{text}")
    assert (found.prefix, found.low, found.high) == ("ge", low, high)
    assert found.is_one_day is (len(text) == 10)


@given(st.text(max_size=40))
def test_any_other_date_raises_a_problem_with_its_place(text):
    try:
        found = parse_date_range(text, "date")
    except Problem as problem:
        assert (problem.status, problem.place) == (400, "date")
    else:
        assert found.low < found.high


@pytest.mark.parametrize(
    ("prefix", "day", "expected"),
    [
        ("eq", 5, True),
        ("ne", 5, False),
        ("gt", 6, True),
        ("gt", 5, False),
        ("le", 5, True),
        ("sa", 5, False),
        ("eb", 4, True),
    ],
)
def test_prefix_compares_the_ranges(prefix, day, expected):
    value = (datetime(2026, 5, day, tzinfo=LOCAL), datetime(2026, 5, day + 1, tzinfo=LOCAL))
    assert parse_date_range(f"{prefix}2026-05-05").matches(*value) is expected


def test_token_is_split_into_system_and_code():
    assert parse_token("a|b") == ("a", "b")
    assert parse_token("|b") == ("", "b")
    assert parse_token("b") == (None, "b")
