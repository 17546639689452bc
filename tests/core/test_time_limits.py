"""Time limits: the day of the event does not count, and leap days and changes of the clock change nothing."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.time_limits import end_of, last_day, last_of_month, start_of
from esante.core.time_zone import day_of, time_zone

moments = st.integers(0, 2_840_000_000).map(
    lambda seconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@pytest.mark.parametrize(
    ("event", "years", "expected"),
    [
        (date(2024, 2, 29), 10, date(2034, 2, 28)),
        (date(2024, 2, 29), 4, date(2028, 2, 29)),
        (date(2024, 2, 28), 4, date(2028, 2, 28)),
        (date(2026, 11, 29), 10, date(2036, 11, 29)),
    ],
)
def test_limit_in_years_ends_on_the_same_date_or_the_last_of_the_month(event, years, expected):
    assert last_day(event, years=years) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC), date(2026, 4, 27)),
        (datetime(2026, 3, 28, 23, 0, 0, tzinfo=UTC), date(2026, 4, 28)),
        (datetime(2026, 6, 30, 21, 59, 59, tzinfo=UTC), date(2026, 7, 30)),
        (datetime(2026, 6, 30, 22, 0, 0, tzinfo=UTC), date(2026, 7, 31)),
    ],
)
def test_day_of_the_event_is_that_of_the_country(moment, expected):
    assert time_zone() == ZoneInfo("Europe/Luxembourg")
    assert last_day(moment, days=30) == expected


def test_day_of_the_change_of_the_clock_has_23_or_25_hours():
    assert end_of(date(2026, 3, 29)) - start_of(date(2026, 3, 29)) == timedelta(hours=23)
    assert end_of(date(2026, 10, 25)) - start_of(date(2026, 10, 25)) == timedelta(hours=25)


@given(moments, st.integers(0, 20), st.integers(0, 400))
def test_limit_is_over_at_the_first_moment_after_its_last_day_and_not_before(moment, years, days):
    last = last_day(moment, years=years, days=days)
    over = end_of(last)
    assert day_of(over - timedelta(microseconds=1)) == last
    assert day_of(over) == last + timedelta(days=1)
    assert over - moment > timedelta(days=years * 365 + days - 1)
    if not years:
        assert (last - day_of(moment)).days == days


@given(st.dates(date(1990, 1, 1), date(2080, 1, 1)))
def test_last_of_month_is_followed_by_a_first(day):
    last = last_of_month(day)
    assert (last.year, last.month) == (day.year, day.month)
    assert (last + timedelta(days=1)).day == 1
