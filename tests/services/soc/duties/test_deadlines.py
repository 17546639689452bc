"""When periods end: against a twin that walks through the calendar, and on days that are easily wrong."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esante.services.soc.duties.deadlines import end_of, months_later
from esante.services.soc.duties.model import Period

LUXEMBOURG = ZoneInfo("Europe/Luxembourg")
ZONES = st.sampled_from([LUXEMBOURG, ZoneInfo("UTC"), ZoneInfo("Atlantic/Azores"), ZoneInfo("Australia/Lord_Howe")])
MOMENTS = st.integers(0, 9 * 365 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def walk_minutes(start, hours):
    """Return the moment so many hours later, minute by minute."""
    for _ in range(hours * 60):
        start += timedelta(minutes=1)
    return start


def walk_days(start, zone, days):
    """Return the last minute of the day that begins after so many midnights, hour by hour in the zone."""
    at, passed, day = start, 0, start.astimezone(zone).date()
    while passed < days:
        at += timedelta(minutes=30)
        if at.astimezone(zone).date() != day:
            day, passed = at.astimezone(zone).date(), passed + 1
    return datetime(day.year, day.month, day.day, 23, 59, tzinfo=zone)


def walk_months(day, months):
    """Return the day of the same number so many months later, or the last before the next month, day by day."""
    wanted = day.day
    for _ in range(months):
        day = day.replace(day=1)
        month = day.month
        while day.month == month:
            day += timedelta(days=1)
        month, last = day.month, day
        while day.month == month and day.day <= wanted:
            last, day = day, day + timedelta(days=1)
        day = last
    return day


@given(MOMENTS, st.sampled_from([1, 24, 72]), ZONES)
def test_hours_pass_as_on_a_stopwatch(start, hours, zone):
    assert end_of(Period(unit="hours", count=hours), start.astimezone(zone), zone) == walk_minutes(start, hours)


@given(MOMENTS, st.integers(1, 20), ZONES)
def test_days_end_with_the_last_minute_of_the_day_in_the_zone(start, days, zone):
    assert end_of(Period(unit="days", count=days), start, zone) == walk_days(start, zone, days)


@given(st.dates(date(2023, 1, 1), date(2033, 1, 1)), st.integers(1, 14))
@example(date(2024, 1, 31), 1)
@example(date(2023, 12, 31), 2)
def test_month_ends_on_the_day_of_the_same_number_or_the_last(day, months):
    assert months_later(day, months) == walk_months(day, months)


@given(MOMENTS, ZONES)
def test_month_ends_at_the_last_minute_of_its_day(start, zone):
    end = end_of(Period(unit="months", count=1), start, zone).astimezone(zone)
    assert end.date() == walk_months(start.astimezone(zone).date(), 1) and (end.hour, end.minute) == (23, 59)


@pytest.mark.parametrize(
    ("start", "unit", "count", "end"),
    [
        ("2026-03-28T12:00+01:00", "hours", 24, "2026-03-29T13:00+02:00"),
        ("2026-10-24T12:00+02:00", "hours", 24, "2026-10-25T11:00+01:00"),
        ("2026-10-25T02:30+02:00", "hours", 72, "2026-10-28T01:30+01:00"),
        ("2026-03-27T23:30+01:00", "days", 2, "2026-03-29T23:59+02:00"),
        ("2026-10-24T23:30+02:00", "days", 1, "2026-10-25T23:59+01:00"),
        ("2028-02-29T10:00+01:00", "months", 1, "2028-03-29T23:59+02:00"),
        ("2028-01-31T10:00+01:00", "months", 1, "2028-02-29T23:59+01:00"),
        ("2027-01-31T10:00+01:00", "months", 1, "2027-02-28T23:59+01:00"),
        ("2026-08-31T23:59+02:00", "months", 1, "2026-09-30T23:59+02:00"),
        ("2026-12-31T23:30+01:00", "months", 1, "2027-01-31T23:59+01:00"),
        ("2026-06-30T23:30+00:00", "months", 1, "2026-08-01T23:59+02:00"),
    ],
)
def test_period_over_a_change_of_clocks_a_leap_day_or_a_short_month(start, unit, count, end):
    found = end_of(Period(unit=unit, count=count), datetime.fromisoformat(start), LUXEMBOURG)
    assert found == datetime.fromisoformat(end)


def test_unknown_unit_is_refused():
    with pytest.raises(ValueError, match="fortnights"):
        end_of(Period(unit="fortnights", count=1), datetime.now(UTC), LUXEMBOURG)
