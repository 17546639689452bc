"""The contexts of care: their ceilings hour by hour, and at the changes of the clocks."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access import (
    Action,
    Consent,
    Grant,
    GrantKind,
    Item,
    Purpose,
    RecordState,
    Requester,
    decide,
    policy_set,
    who_can_see,
)
from esante.identity.access.regulation.contexts import ends_at, parse_contexts

ZONE = ZoneInfo("Europe/Luxembourg")
HOUR = timedelta(hours=1)
PERSON, DOCTOR = UUID(int=1), UUID(int=3)
WINTER = datetime(2026, 1, 12, 9, 30, tzinfo=ZONE).astimezone(UTC)
SMALL = """
[[period]]
valid_from = 2020-01-01

[[period.context]]
key = "visit"
label = "Visit"
words = "A visit."
grant = "presence_code"
days = 3
legal = true
allowed = true
legal_source = "x"
verified = false
"""
DOC = Requester(kind="practitioner", id=DOCTOR, name="Dr", profession="doctor")
ITEM = Item(category="letter")


def a_grant(context, since, **changes):
    kind = policy_set().at(since).contexts[context].grant
    values = {"kind": kind, "context": context, "since": since} | changes
    return Grant(id=UUID(int=9), person_id=PERSON, holder_kind="practitioner", holder_id=DOCTOR, **values)


def end_of(context, since, **changes):
    return ends_at(a_grant(context, since, **changes), policy_set().at(since).contexts[context])


def reads(grant, at):
    consent = Consent(person_id=PERSON, state=RecordState.OPEN, grants=(grant,))
    return decide(consent, DOC, Action.READ, ITEM, Purpose.TREATMENT, at).allowed


@pytest.mark.parametrize(
    ("context", "length"),
    [
        ("own_practice", timedelta(days=15)),
        ("institution", timedelta(days=45)),
        ("hospital_emergency", timedelta(days=15, hours=24)),
        ("vital_interests", timedelta(hours=24)),
    ],
)
def test_access_ends_at_the_ceiling_hour_by_hour(context, length):
    grant = a_grant(context, WINTER)
    end = WINTER + length
    hours = [end + HOUR * n for n in range(-23, 49)]
    assert [reads(grant, at) for at in hours] == [at < end for at in hours]
    assert reads(grant, end - timedelta(microseconds=1))
    assert not reads(grant, WINTER - timedelta(microseconds=1))


def test_renewed_stay_ends_thirty_days_later_and_never_later():
    ends = [end_of("institution", WINTER, renewals=n) for n in (0, 1, 2, 1_000)]
    assert [(end - ends[0]).days for end in ends] == [0, 30, 30, 30]


def test_circle_has_no_ceiling():
    assert end_of("circle", WINTER) is None
    assert reads(a_grant("circle", WINTER), WINTER + timedelta(days=4_000))


def test_grant_of_its_own_shorter_end_ends_then():
    until = WINTER + HOUR
    assert end_of("own_practice", WINTER, until=until) == until
    assert end_of("own_practice", WINTER, until=WINTER + timedelta(days=365)) == WINTER + timedelta(days=15)


def test_ceiling_over_the_change_to_summer_time_ends_at_the_same_time_of_the_day():
    since = datetime(2026, 3, 20, 9, 30, tzinfo=ZONE)
    assert end_of("own_practice", since).astimezone(ZONE) == datetime(2026, 4, 4, 9, 30, tzinfo=ZONE)
    assert end_of("own_practice", since) - since == timedelta(days=15) - HOUR


def test_ceiling_over_the_change_to_winter_time_ends_at_the_same_time_of_the_day():
    since = datetime(2026, 10, 20, 9, 30, tzinfo=ZONE)
    assert end_of("own_practice", since) - since == timedelta(days=15) + HOUR


def test_time_that_the_clocks_leave_out_ends_before_the_gap():
    since = datetime(2026, 3, 14, 2, 30, tzinfo=ZONE)
    assert end_of("own_practice", since) == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


def test_time_that_there_is_twice_ends_at_the_first():
    since = datetime(2026, 10, 10, 2, 30, tzinfo=ZONE)
    assert end_of("own_practice", since) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_hours_pass_before_days_are_counted():
    since = datetime(2026, 3, 28, 12, tzinfo=ZONE)  # the clocks change within the 24 hours
    assert end_of("hospital_emergency", since).astimezone(ZONE) == datetime(2026, 4, 13, 13, tzinfo=ZONE)


@given(
    st.integers(0, 14 * 365 * 24 * 3600).map(lambda seconds: WINTER + timedelta(seconds=seconds)),
    st.sampled_from(["own_practice", "institution", "hospital_emergency", "vital_interests"]),
)
def test_ceiling_is_within_an_hour_of_its_length_and_grows_with_the_beginning(since, key):
    context = policy_set().at(since).contexts[key]
    length = timedelta(days=context.days, hours=context.hours)
    assert abs(context.ceiling(since) - since - length) <= HOUR
    moments = [since + timedelta(minutes=20 * n) for n in range(12)]
    assert all(context.ceiling(a) <= context.ceiling(b) + HOUR for a, b in pairwise(moments))


@given(
    st.sampled_from(["own_practice", "institution", "hospital_emergency", "vital_interests", "circle"]),
    st.integers(0, 100 * 24),
    st.none() | st.integers(0, 100 * 24),
    st.integers(0, 2),
)
def test_pages_tell_the_end_of_what_requests_get(key, hours, until, renewals):
    at = WINTER + HOUR * hours
    grant = a_grant(key, WINTER, until=None if until is None else WINTER + HOUR * until, renewals=renewals)
    consent = Consent(person_id=PERSON, state=RecordState.OPEN, grants=(grant,))
    told = who_can_see(consent, {DOCTOR: [DOC]}, at, ITEM)
    assert bool(told and told[0].reads) is reads(grant, at)
    for access in told:
        assert access.context.key == key
        if access.ends_at is not None:
            assert reads(grant, access.ends_at - timedelta(microseconds=1)) and not reads(grant, access.ends_at)


def test_contexts_of_the_law_are_verified_and_the_others_say_they_are_not():
    for period in policy_set().contexts:
        assert all(one.legal is one.verified and one.legal_source and one.words for one in period.contexts)
    beyond = {one.key for one in policy_set().contexts[-1].contexts if not one.legal}
    assert beyond == {"circle", "vital_interests", "care_abroad"}


def test_every_kind_of_grant_has_a_context():
    assert {one.grant for one in policy_set().contexts[-1].contexts} == set(GrantKind)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("days = 3", "days = -3", "context visit: a number is negative"),
        ("days = 3\n", "", "context visit: a context of the law has a ceiling"),
        ("legal = true", "legal = true\nmonths = 1", "months"),
        ('grant = "presence_code"', 'grant = "smile"', "smile"),
        ("allowed = true\n", "", "allowed"),
    ],
)
def test_wrong_context_is_refused_by_name(old, new, match):
    with pytest.raises(ValueError, match=match):
        parse_contexts(SMALL.replace(old, new))


def test_context_and_period_that_are_there_twice_are_refused():
    context = SMALL[SMALL.index("[[period.context]]") :]
    with pytest.raises(ValueError, match="the context visit is there twice"):
        parse_contexts(SMALL + context)
    with pytest.raises(ValueError, match="the period 2020-01-01 is there twice"):
        parse_contexts(SMALL + SMALL)
