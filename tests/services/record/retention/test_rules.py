"""The days of retention: ten years from the deposit, told three months before, deleted when the month is over."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.time_limits import end_of
from esante.core.time_zone import day_of
from esante.services.record.retention.rules import (
    FOR_LIFE,
    deposited_before,
    last_kept_day,
    may_shorten_to,
    month_to_announce,
)
from esante.services.record.retention.terms import retention_terms

days = st.dates(date(2021, 1, 1), date(2060, 1, 1))
moments = st.integers(0, 1_200_000_000).map(
    lambda seconds: datetime(2021, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@pytest.mark.parametrize(
    ("deposited", "last"),
    [
        (datetime(2024, 2, 29, 12, tzinfo=UTC), date(2034, 2, 28)),
        (datetime(2024, 2, 28, 23, 30, tzinfo=UTC), date(2034, 2, 28)),  # 29 February in Luxembourg
        (datetime(2024, 6, 30, 22, 0, tzinfo=UTC), date(2034, 7, 1)),
        (datetime(2024, 6, 30, 21, 59, 59, tzinfo=UTC), date(2034, 6, 30)),
    ],
)
def test_last_day_is_ten_years_after_the_day_of_deposit(deposited, last):
    assert last_kept_day(deposited) == last


@given(moments)
def test_nothing_is_kept_less_than_ten_years(deposited):
    over = end_of(last_kept_day(deposited))
    assert over - deposited >= timedelta(days=3652)
    assert over - deposited <= timedelta(days=3654)


@given(days)
def test_announced_month_leaves_the_notice_before_its_first_day_is_deleted(today):
    month = month_to_announce(today)
    notice = timedelta(days=retention_terms(today).notice_days)
    assert day_of(month.due_at) - today > notice
    assert month.upto - today >= notice
    assert (month.upto + timedelta(days=1)).day == 1
    assert month.period == f"{month.upto:%Y-%m}"


@given(days)
def test_every_day_falls_into_a_month_that_is_announced_before_it_ends(today):
    last_day_of_something = today + timedelta(days=retention_terms(today).notice_days)
    assert last_day_of_something <= month_to_announce(today).upto


@given(days, st.integers(-2 * 86_400, 2 * 86_400))
def test_bound_of_deposits_separates_what_is_over_from_what_is_not(today, seconds):
    bound = deposited_before(today)
    deposited = bound + timedelta(seconds=seconds)
    assert (last_kept_day(deposited) < today) is (seconds < 0)


@given(moments, days, days)
def test_shorter_retention_is_shorter_and_leaves_time_for_the_notice(deposited, until, today):
    if may_shorten_to(until, deposited, today):
        assert today + timedelta(days=90) < until < last_kept_day(deposited)
    assert not may_shorten_to(FOR_LIFE, deposited, today)
