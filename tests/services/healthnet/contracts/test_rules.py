"""The arithmetic of availability, against a twin that counts minute by minute."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.healthnet.contracts.model import Credit
from esante.services.healthnet.contracts.rules import availability, common, credit, in_time, joined, length, without
from esante.services.healthnet.supervision.model import PlannedWork, Span

ZERO = datetime(2027, 3, 1, tzinfo=UTC)
CREDITS = (Credit(missing=Decimal("0.0"), share=Decimal("0.05")), Credit(missing=Decimal("0.5"), share=Decimal("0.1")))


def at(minute):
    return ZERO + timedelta(minutes=minute)


SPANS = st.lists(
    st.builds(lambda begin, long: Span(at(begin), at(begin + long)), st.integers(0, 60), st.integers(0, 20)),
    max_size=6,
)


def minutes(spans):
    """The minutes that stretches cover, one by one."""
    return {minute for minute in range(90) for span in spans if span.begins_at <= at(minute) < span.ends_at}


@given(SPANS, SPANS)
def test_stretches_are_joined_cut_and_taken_away_as_minutes_are(one, other):
    ours, theirs = minutes(one), minutes(other)
    for found, expected in (
        (joined(one), ours),
        (common(one, other), ours & theirs),
        (without(one, other), ours - theirs),
    ):
        assert minutes(found) == expected
        assert length(found) == timedelta(minutes=len(expected))
        assert all(first.ends_at <= second.begins_at for first, second in pairwise(found))


def test_availability_is_rounded_down_and_unknown_without_measures():
    assert availability(timedelta(), timedelta()) is None
    assert availability(timedelta(days=30), timedelta()) == Decimal("100.000")
    assert availability(timedelta(days=30), timedelta(seconds=1)) == Decimal("99.999")
    assert availability(timedelta(days=1), timedelta(days=1)) == 0


@pytest.mark.parametrize(
    ("delivered", "given"),
    [(None, "0"), ("99.500", "0"), ("99.499", "5.00"), ("99.000", "5.00"), ("98.999", "10.00"), ("0", "10.00")],
)
def test_credit_follows_what_is_missing_of_the_promise(delivered, given):
    share = None if delivered is None else Decimal(delivered)
    assert credit(Decimal(100), Decimal("99.5"), share, CREDITS) == Decimal(given)


def test_works_that_were_announced_late_do_not_count_as_planned():
    def a_work(hours):
        return PlannedWork(
            work_id=None,
            site="",
            begins_at=at(0),
            ends_at=at(9),
            reason="",
            announced_by="",
            announced_at=at(0) - timedelta(hours=hours),
        )

    assert in_time([a_work(120), a_work(119)], timedelta(hours=120)) == [Span(at(0), at(9))]
