"""Cursors of lists."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Problem, decode_cursor, decode_offset_cursor, decode_uuid_cursor, encode_cursor

KEY = UUID("0190a0f0-0000-7000-8000-000000000001")


@given(st.text(), st.integers(-(2**53), 2**53))
def test_cursor_decodes_to_its_key(text, number):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert decode_cursor(encode_cursor(text, number), str, int) == [text, number]


@given(st.text(max_size=200))
def test_any_other_cursor_raises_a_problem_and_nothing_else(text):
    try:
        key = decode_cursor(text, str, int)
    except Problem as problem:
        assert problem.status == 400
    else:
        assert encode_cursor(*key)


def test_cursor_of_uuid_and_day_decodes_to_its_key():
    assert decode_cursor(encode_cursor(KEY, date(2026, 3, 1)), UUID, date) == [KEY, date(2026, 3, 1)]


@pytest.mark.parametrize("key", [[], ["x"], [1], [str(KEY), 1], [True], [None]])
def test_cursor_with_values_of_other_kinds_is_refused(key):
    with pytest.raises(Problem) as refused:
        decode_cursor(encode_cursor(*key), UUID)
    assert refused.value.status == 400


def test_no_cursor_is_the_first_page():
    assert decode_uuid_cursor(None) is None
    assert (decode_offset_cursor(None), decode_offset_cursor("")) == (0, 0)


def test_offset_below_zero_is_the_first_page():
    assert decode_offset_cursor(encode_cursor(-5)) == 0
    assert decode_offset_cursor(encode_cursor(5)) == 5
