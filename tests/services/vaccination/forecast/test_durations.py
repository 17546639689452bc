"""Arithmetic of days against python-dateutil where both agree by definition, and against a slow oracle elsewhere."""

from datetime import date, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from esante.services.vaccination.forecast.durations import Ages, Duration, add, parse_duration

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
LAST_DAYS = DAYS.map(lambda day: day.replace(day=1) + relativedelta(months=1) - timedelta(days=1))
MONTHS, SPANS = st.integers(-600, 1800), st.integers(-3000, 3000)


def added(day: date, text: str) -> date:
    return date.fromordinal(add(day.toordinal(), parse_duration(text)))


def oracle(day: date, months: int, days: int) -> date:
    """Count the months one by one; a day that does not exist becomes the first of the month after."""
    year, month = day.year, day.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month == 13:
            year, month = year + 1, 1
        if month == 0:
            year, month = year - 1, 12
    end = date(year + (month == 12), month % 12 + 1, 1)
    moved = min(date(year, month, 1) + timedelta(days=day.day - 1), end)
    return moved + timedelta(days=days)


@given(DAYS, MONTHS, SPANS)
def test_sum_equals_counting_month_by_month(day, months, days):
    assert date.fromordinal(add(day.toordinal(), Duration(months, days))) == oracle(day, months, days)


@given(DAYS.filter(lambda day: day.day <= 28), MONTHS, SPANS)
def test_sum_equals_dateutil_where_the_day_exists(day, months, days):
    assert date.fromordinal(add(day.toordinal(), Duration(months, days))) == day + relativedelta(
        months=months
    ) + relativedelta(days=days)


@given(LAST_DAYS, MONTHS)
def test_missing_day_is_one_day_after_dateutils_end_of_month(day, months):
    ours, clamped = date.fromordinal(add(day.toordinal(), Duration(months))), day + relativedelta(months=months)
    assert ours == (clamped if clamped.day == day.day else clamped + timedelta(days=1))


@given(DAYS, st.integers(0, 1200), st.integers(0, 1200))
def test_more_months_are_never_earlier(day, fewer, more):
    start = day.toordinal()
    assert (add(start, Duration(min(fewer, more))) <= add(start, Duration(max(fewer, more)))) is True


@pytest.mark.parametrize(
    ("day", "text", "sum_"),
    [
        ("2000-01-01", "3 years", "2003-01-01"),
        ("2000-11-01", "6 months", "2001-05-01"),
        ("2000-02-01", "5 weeks", "2000-03-07"),
        ("2001-02-01", "5 weeks", "2001-03-08"),
        ("2000-03-31", "6 months", "2000-10-01"),
        ("2010-08-31", "6 months", "2011-03-01"),
        ("2000-01-31", "6 months - 4 days", "2000-07-27"),
        ("2020-02-29", "1 year", "2021-03-01"),
        ("2020-02-29", "4 years", "2024-02-29"),
        ("2022-01-15", "16 years - 4 months", "2037-09-15"),
        ("2022-01-15", "3 months + 4 weeks", "2022-05-13"),
        ("2022-01-15", "0 days", "2022-01-15"),
    ],
)
def test_examples_of_the_specification_section_3_4(day, text, sum_):
    assert added(date.fromisoformat(day), text) == date.fromisoformat(sum_)


@pytest.mark.parametrize(
    "text",
    ["", "n/a", "6", "months", "six months", "6 months 4 days", "- 4 days 6", "6 months -", "900 years", "1.5 years"],
)
def test_text_that_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.integers(0, 99), st.sampled_from(["day", "week", "month", "year"]), st.integers(0, 99))
def test_written_duration_is_read_back(amount, unit, days):
    months = {"month": amount, "year": 12 * amount}.get(unit, 0)
    rest = {"day": amount, "week": 7 * amount}.get(unit, 0)
    assert parse_duration(f"{amount} {unit}s - {days} days") == Duration(months, rest - days)


def test_absent_bounds_are_the_first_and_the_last_day():
    ages = Ages(date(2020, 1, 31).toordinal())
    assert date.fromordinal(ages[None]) == date(1900, 1, 1)
    assert date.fromordinal(ages.until(None)) == date(2999, 12, 31)
    assert date.fromordinal(ages[Duration(1)]) == date(2020, 3, 1)
