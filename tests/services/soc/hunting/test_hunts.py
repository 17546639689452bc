"""Runs of hunts: progress, result, cancelling, who sees them, kept hunts."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core.web import Problem
from esante.services.soc.hunting import hunts as hunts_module
from esante.services.soc.hunting.model import Condition, Hunt, Operator, RunState
from tests.support.soc_hunting import DAY, keep, some_events

WANTED = Hunt(since=DAY, until=DAY + timedelta(days=7), text="connection")


async def finished(hunts, requester, hunt=WANTED):
    run = await hunts.start(requester, hunt)
    await hunts._working[run.run_id]
    return await hunts.run(requester, run.run_id)


async def refused(call):
    with pytest.raises(Problem) as caught:
        await call
    return caught.value.status


async def test_run_ends_with_counts_pages_and_hours_of_the_own_member_only(world, hunts, archive):
    (one, contact), (other, stranger) = await world.member("Hôpital A"), await world.member("Hôpital B")
    kept = some_events(one.tenant_id, DAY, 70)
    await keep(world.db, [*kept, *some_events(other.tenant_id, DAY, 9)])
    await archive.move(DAY.date())
    run = await finished(hunts, contact)
    assert (run.state, run.matches, run.rows_done, run.rows_total) == (RunState.DONE, 70, 70, 70)
    page = await hunts.matches(contact, run.run_id)
    rest = await hunts.matches(contact, run.run_id, "", page.next)
    ids = [found.event_id for found in (*page.items, *rest.items)]
    by_time = sorted(kept, key=lambda event: (event.occurred_at, str(event.event_id)), reverse=True)
    assert ids == [str(event.event_id) for event in by_time] and rest.next is None
    assert sum(count for _, count in await hunts.hours(contact, run.run_id)) == 70
    for call in (hunts.run, hunts.matches, hunts.hours, hunts.cancel):
        assert await refused(call(stranger, run.run_id)) == 404
    assert (await finished(hunts, world.anna)).matches == 79
    assert [found.run_id for found in (await hunts.runs(contact)).items] == [run.run_id]
    wanted = str(kept[7].event_id)
    (found,) = (await hunts.matches(contact, run.run_id, wanted[:35].upper())).items or [None]
    assert found is None or found.event_id == wanted


async def test_run_is_cancelled_and_others_wait_for_a_place(world, hunts, events, monkeypatch):
    _, contact = await world.member("Hôpital C")
    waiting = asyncio.Event()

    async def never(*arguments):
        await waiting.wait()
        yield

    monkeypatch.setattr(hunts._search, "run", never)
    first, second = await hunts.start(contact, WANTED), await hunts.start(contact, WANTED)
    assert await refused(hunts.start(contact, WANTED)) == 429
    await hunts.cancel(contact, first.run_id)
    while first.run_id in hunts._working:
        await asyncio.sleep(0.01)
    assert (await hunts.run(contact, first.run_id)).state is RunState.CANCELLED
    third = await hunts.start(contact, WANTED)
    await asyncio.sleep(0.05)
    await hunts.close()
    for one in (second, third):
        assert (await hunts.run(contact, one.run_id)).state is RunState.FAILED


async def test_run_of_a_process_that_died_is_ended(world, hunts, monkeypatch):
    _, contact = await world.member("Hôpital D")
    run = await finished(hunts, contact)
    await world.db.fetch(
        "UPDATE soc_hunt_run SET state = 'running', beat_at = now() - interval '1 hour' WHERE run_id = $1", run.run_id
    )
    await hunts.tidy()
    assert (await hunts.run(contact, run.run_id)).state is RunState.FAILED


async def test_matches_are_deleted_after_their_time_and_the_run_stays(world, hunts, monkeypatch):
    tenant, contact = await world.member("Hôpital E")
    await keep(world.db, some_events(tenant.tenant_id, DAY, 3))
    run = await finished(hunts, contact)
    monkeypatch.setattr(hunts_module, "MATCHES_KEPT", timedelta(0))
    await hunts.tidy()
    assert (await hunts.matches(contact, run.run_id)).items == []
    assert (await hunts.run(contact, run.run_id)).matches == 3


@pytest.mark.parametrize(
    "wrong",
    [
        replace(WANTED, text=""),
        replace(WANTED, text="x" * 501),
        replace(WANTED, until=DAY),
        replace(WANTED, conditions=(Condition("event; DROP", Operator.EQUALS, "x"),)),
        replace(WANTED, conditions=(Condition("dst_port", Operator.CONTAINS, "4"),)),
        replace(WANTED, conditions=(Condition("dst_port", Operator.EQUALS, "٤"),)),
        replace(WANTED, conditions=(Condition("src_ip", Operator.IN_NETWORK, "10.0.0.0/99"),)),
        replace(WANTED, conditions=(Condition("src_ip", Operator.IN_NETWORK, "2001:db8::/32"),)),
        replace(WANTED, conditions=(Condition("observables", Operator.EQUALS, "no"),)),
        replace(WANTED, conditions=(Condition("host", Operator.EQUALS, " "),)),
        replace(WANTED, conditions=(Condition("host", Operator.EQUALS, "x"),) * 9),
    ],
)
async def test_wrong_hunt_is_refused(world, hunts, wrong):
    _, contact = await world.member("Hôpital F")
    assert await refused(hunts.start(contact, wrong)) == 400


async def test_kept_hunts_are_listed_to_their_member_and_deleted(world, hunts):
    (_, contact), (_, stranger) = await world.member("Hôpital G"), await world.member("Hôpital H")
    saved = await hunts.save(contact, " Ransomware ", 7, WANTED)
    assert [(one.name, one.days) for one in (await hunts.saved(contact, "ransom")).items] == [("Ransomware", 7)]
    assert (await hunts.saved(contact, "other")).items == [] and (await hunts.saved(stranger)).items == []
    assert await refused(hunts.forget(stranger, saved.hunt_id)) == 404
    await hunts.forget(contact, saved.hunt_id)
    assert (await hunts.saved(contact)).items == []
    assert await refused(hunts.save(contact, " ", 7, WANTED)) == 400
    span = hunts_module.again(saved)
    assert span.until - span.since == timedelta(days=7) and span.text == "connection"
