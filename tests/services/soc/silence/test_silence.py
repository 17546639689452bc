"""Silence of sources: one alert for each, ended by the next event, counted in the hours of the source."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.time_zone import time_zone
from esante.core.web import Problem
from esante.services.soc.alerts.model import AlertFilter, Origin
from esante.services.soc.silence.rules import WEEK, Hours, WatchedSource, expected_time, is_silent
from esante.services.soc.silence.service import Silences

MONDAY = datetime(2026, 5, 4, tzinfo=time_zone())
WORKDAYS = [Hours(day * 1440 + 8 * 60, day * 1440 + 18 * 60) for day in range(5)]
spans = st.lists(st.integers(0, WEEK), min_size=2, max_size=12, unique=True).map(
    lambda marks: [Hours(*pair) for pair in zip(sorted(marks)[::2], sorted(marks)[1::2], strict=False)]
)


@given(hours=spans, begin=st.integers(0, 3 * WEEK), length=st.integers(0, 3 * WEEK))
def test_expected_time_is_the_number_of_minutes_that_lie_in_hours(hours, begin, length):
    at = datetime(2026, 6, 1, tzinfo=time_zone())
    found = expected_time(hours, at + timedelta(minutes=begin), at + timedelta(minutes=begin + length))
    inside = sum(
        1 for minute in range(begin, begin + length) if any(one.begins <= minute % WEEK < one.ends for one in hours)
    )
    assert found == timedelta(minutes=inside)


@pytest.mark.parametrize(
    ("last", "now", "silent"),
    [
        (MONDAY.replace(hour=9), MONDAY.replace(hour=10), False),
        (MONDAY.replace(hour=9), MONDAY.replace(hour=11, minute=1), True),
        (MONDAY.replace(hour=17), MONDAY + timedelta(days=1, hours=8, minutes=59), False),
        (MONDAY.replace(hour=17), MONDAY + timedelta(days=1, hours=9, minutes=1), True),
        (MONDAY + timedelta(days=4, hours=17, minutes=30), MONDAY + timedelta(days=7, hours=9), False),
        (MONDAY + timedelta(days=4, hours=17, minutes=30), MONDAY + timedelta(days=7, hours=9, minutes=31), True),
    ],
)
def test_practice_that_is_closed_is_not_silent(last, now, silent):
    source = WatchedSource(
        tenant_id=uuid4(), source_id=uuid4(), name="x", every=timedelta(hours=2), last_at=last, hours=WORKDAYS
    )
    assert is_silent(source, now) == silent


@pytest.fixture
def silences(world):
    """The watch over sources."""
    return Silences(world.db, world.journal, world.tenants, world.alerts)


async def add_source(world, tenant, last_at, every=timedelta(hours=1)):
    source_id = uuid4()
    await world.db.fetch(
        "INSERT INTO soc_source (tenant_id, source_id, name, kind, expected_every, last_event_at, added_at)"
        " VALUES ($1, $2, $3, 'syslog', $4, $5, $6)",
        tenant.tenant_id,
        source_id,
        f"fw-{source_id}",
        every,
        last_at,
        last_at,
    )
    return source_id


async def heard(world, source_id, at):
    await world.db.fetch("UPDATE soc_source SET last_event_at = $2 WHERE source_id = $1", source_id, at)


async def test_silence_alerts_once_ends_with_the_next_event_and_begins_anew(world, silences):
    tenant, contact = await world.member("Hôpital A")
    start = datetime.now(UTC)
    source = await add_source(world, tenant, start - timedelta(hours=3))
    await add_source(world, tenant, start)
    await add_source(world, tenant, start - timedelta(hours=9), None)
    for _ in range(3):
        await silences.check()
    wanted = AlertFilter(origin=Origin.SILENCE)
    (alert,) = (await world.alerts.page(contact, wanted)).items
    assert alert.subject == f"fw-{source}"
    (shown,) = (await silences.page(contact)).items
    assert (shown["alert_id"], shown["ended_at"]) == (alert.alert_id, None)
    await heard(world, source, start)
    await silences.check()
    (shown,) = (await silences.page(contact)).items
    assert shown["ended_at"] is not None
    ended = await world.db.fetch("SELECT 1 FROM journal_entry WHERE type = 'soc.silence_ended'")
    assert len(ended) == 1
    await heard(world, source, start - timedelta(hours=2))
    await world.db.fetch("UPDATE soc_silence SET since = since - interval '1 day'")
    await silences.check()
    assert len((await world.alerts.page(contact, wanted)).items) == 2


async def test_silences_of_another_member_are_not_shown(world, silences):
    (one, _), (_, other) = await world.member("Hôpital B"), await world.member("Hôpital C")
    await add_source(world, one, datetime.now(UTC) - timedelta(hours=3))
    await silences.check()
    assert (await silences.page(other)).items == []
    assert len((await silences.page(world.anna)).items) >= 1


async def test_silences_are_searched_and_paged(world, silences):
    tenant, contact = await world.member("Hôpital E")
    sources = [await add_source(world, tenant, datetime.now(UTC) - timedelta(hours=3)) for _ in range(60)]
    await silences.check()
    first = await silences.page(contact)
    rest = await silences.page(contact, "", first.next)
    shown = [one["source_id"] for one in (*first.items, *rest.items)]
    assert sorted(shown) == sorted(sources) and rest.next is None
    (found,) = (await silences.page(contact, f"FW-{sources[3]}")).items
    assert found["source_id"] == sources[3]


async def test_hours_are_set_by_operators_and_checked(world, silences):
    tenant, contact = await world.member("Hôpital D")
    source = await add_source(world, tenant, datetime.now(UTC))
    await silences.set_hours(world.anna, tenant.tenant_id, source, WORKDAYS)
    for requester, hours, status in [
        (contact, WORKDAYS, 403),
        (world.anna, [Hours(0, 10), Hours(5, 20)], 400),
        (world.anna, [Hours(9, 9)], 400),
    ]:
        with pytest.raises(Problem) as caught:
            await silences.set_hours(requester, tenant.tenant_id, source, hours)
        assert caught.value.status == status
    with pytest.raises(Problem) as caught:
        await silences.set_hours(world.anna, tenant.tenant_id, uuid4(), WORKDAYS)
    assert caught.value.status == 404
