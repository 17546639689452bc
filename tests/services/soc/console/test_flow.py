"""What comes in: the live rate, and counters sampled for plots."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.core import clock
from esante.core.storage import uuid7
from esante.services.soc.console.model import Span
from esante.services.soc.sources import source_store
from esante.services.soc.sources.model import SourceKind
from tests.support.soc_events import a_stored_event, store

START = datetime.now(UTC).replace(hour=9, minute=7, second=0, microsecond=0)


@pytest.fixture
def at(monkeypatch):
    """`at(moment)` sets the clock."""

    def set_clock(moment):
        monkeypatch.setattr(clock, "now", lambda: moment)

    set_clock(START)
    return set_clock


@pytest.fixture
async def member(world, sources):
    """A member with a source, and a function that counts events of it."""
    tenant, contact = await world.member(f"Hôpital {uuid7()}")
    source = await sources.add(contact, tenant.tenant_id, "Router", SourceKind.SYSLOG)

    async def count(events, faults=0):
        await source_store.count_events(
            world.db, {(tenant.tenant_id, source.source_id): (events, faults, clock.now())}
        )

    return tenant, contact, count


async def test_sampled_counters_are_summed_by_quarter_and_span(world, flow, member, at):
    _, contact, count = member
    for minutes, events, faults in ((0, 10, 1), (1, 5, 0), (60, 7, 2)):
        at(START + timedelta(minutes=minutes))
        await count(events, faults)
        await flow.sample()
        await flow.sample()
    steps = await flow.history(contact, Span.DAY)
    assert len(steps) == 96 and steps[-1].start == START.replace(hour=10, minute=0)
    assert [(one.events, one.faults) for one in steps[-5:]] == [(15, 1), (0, 0), (0, 0), (0, 0), (7, 2)]
    week = await flow.history(contact, Span.WEEK)
    assert len(week) == 84 and [one.events for one in week[-2:]] == [15, 7]


async def test_operator_sees_the_sum_and_contact_only_their_own(world, flow, member, sources, at):
    _, contact, count = member
    other, other_contact = await world.member(f"Hôpital {uuid7()}")
    source = await sources.add(other_contact, other.tenant_id, "Router", SourceKind.SYSLOG)
    before = (await flow.history(world.anna, Span.DAY))[-1].events
    await count(3)
    await source_store.count_events(world.db, {(other.tenant_id, source.source_id): (4, 0, START)})
    await flow.sample()
    assert (await flow.history(contact, Span.DAY))[-1].events == 3
    assert (await flow.history(other_contact, Span.DAY))[-1].events == 4
    assert (await flow.history(world.anna, Span.DAY))[-1].events == before + 7


async def test_what_is_older_than_plots_show_is_deleted(world, flow, member, at):
    _, contact, count = member
    await count(3)
    await flow.sample()
    at(START + timedelta(days=9))
    await flow.sample()
    at(START)
    assert sum(one.events for one in await flow.history(contact, Span.DAY)) == 0


async def test_sample_does_nothing_while_another_process_does_it(world, flow, member, at):
    _, contact, count = member
    await count(3)
    async with world.db.transaction() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock($1)", 0x50C_F10)
        await flow.sample()
    assert (await flow.history(contact, Span.DAY))[-1].events == 0
    await flow.sample()
    assert (await flow.history(contact, Span.DAY))[-1].events == 3


async def test_rate_is_of_the_last_ten_seconds_and_of_what_somebody_sees(world, flow, member, at):
    tenant, contact, count = member
    other, other_contact = await world.member(f"Hôpital {uuid7()}")
    events = [a_stored_event(tenant.tenant_id, START - timedelta(seconds=number)) for number in (1, 2, 30)]
    await store(world.db, *events, a_stored_event(other.tenant_id, START - timedelta(seconds=1)))
    await count(3, 1)
    found = await flow.now(contact)
    assert (found.per_second, found.events, found.faults, found.last_event_at) == (0.2, 3, 1, START)
    assert (await flow.now(other_contact)).per_second == 0.1
    assert (await flow.now(world.anna)).per_second >= 0.3
