"""Dated rules: parsed oldest first, and the one in force on a day."""

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True)
class Rate:
    """A dated rule of these tests."""

    valid_from: date
    percent: int


def parse_rate(period):
    return Rate(period["valid_from"], period["percent"])


TEXT = """
[[period]]
valid_from = 2026-01-01
percent = 3

[[period]]
valid_from = 2020-05-17
percent = 1
"""


def test_periods_are_parsed_oldest_first():
    assert parse_periods(TEXT, parse_rate) == (Rate(date(2020, 5, 17), 1), Rate(date(2026, 1, 1), 3))


def test_text_without_periods_raises_value_error():
    with pytest.raises(ValueError, match=r"there is no \[\[period\]\]"):
        parse_periods("[[rate]]\npercent = 3\n", parse_rate)


def test_missing_field_raises_what_the_parser_raises():
    with pytest.raises(KeyError, match="percent"):
        parse_periods("[[period]]\nvalid_from = 2026-01-01\n", parse_rate)


def test_text_that_is_no_toml_raises_value_error():
    with pytest.raises(ValueError, match="Expected"):
        parse_periods("[[period", parse_rate)


@pytest.mark.parametrize(
    ("on", "percent"),
    [
        (date(1999, 1, 1), 1),
        (date(2020, 5, 17), 1),
        (date(2025, 12, 31), 1),
        (date(2026, 1, 1), 3),
        (date(2100, 1, 1), 3),
    ],
)
def test_period_in_force_is_the_last_one_begun_or_else_the_first(on, percent):
    assert in_force(parse_periods(TEXT, parse_rate), on).percent == percent


@given(st.lists(st.dates(), min_size=1, unique=True), st.dates())
def test_period_in_force_ends_where_the_next_one_begins(days, on):
    periods = [Rate(day, number) for number, day in enumerate(sorted(days))]
    found = in_force(periods, on)
    later = [period for period in periods if period.valid_from > found.valid_from]
    assert found.valid_from <= on or found == periods[0]
    assert not later or on < later[0].valid_from
    if later:
        assert in_force(periods, later[0].valid_from - timedelta(days=1)) == found


def test_packaged_text_is_a_file_of_the_data_folder():
    assert "[[policy]]" in packaged_text("esante.core.journal", "retention.toml")
    with pytest.raises(FileNotFoundError):
        packaged_text("esante.core.journal", "absent.toml")
