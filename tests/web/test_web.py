"""The shared faces: cursors, dates of searches, bodies within limits, texts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.fhir.rest import date_range, token_of
from esante.web import Problem, decode_cursor, encode_cursor


@given(st.text(), st.integers(-(2**53), 2**53))
def test_a_cursor_comes_back(text, number):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert decode_cursor(encode_cursor(text, number), str, int) == [text, number]


@given(st.text(max_size=200))
def test_any_other_cursor_is_a_problem_and_nothing_else(text):
    try:
        key = decode_cursor(text, str, int)
    except Problem as problem:
        assert problem.status == 400
    else:
        assert encode_cursor(*key)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (
            "2026-05-01T10:30:00+02:00",
            datetime(2026, 5, 1, 8, 30, tzinfo=UTC),
            datetime(2026, 5, 1, 8, 30, 1, tzinfo=UTC),
        ),
    ],
)
def test_a_date_covers_what_it_says(text, low, high):
    found = date_range(f"ge{text}")
    assert (found.prefix, found.low, found.high) == ("ge", low, high)


@given(st.text(max_size=40))
def test_any_other_date_is_a_problem_with_its_place(text):
    try:
        found = date_range(text, "date")
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
def test_prefixes(prefix, day, expected):
    value = (datetime(2026, 5, day, tzinfo=UTC), datetime(2026, 5, day + 1, tzinfo=UTC))
    assert date_range(f"{prefix}2026-05-05").matches(*value) is expected


def test_token_parts():
    assert token_of("a|b") == ("a", "b")
    assert token_of("|b") == ("", "b")
    assert token_of("b") == (None, "b")
