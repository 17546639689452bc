"""The way of messages: members in turn, faults, clocks, and a database that refuses."""

import asyncio
from datetime import timedelta

import asyncpg
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core import clock
from esante.core.storage import Unavailable, uuid7
from esante.services.soc.events.normalize import normalize
from esante.services.soc.intake.message_reader import MessageReader
from esante.services.soc.intake.model import Delivery
from tests.support.soc_intake import SHADOW_EVENT, line, until


def _delivery(feed, *messages, quota=100_000):
    return Delivery(feed.tenant_id, feed.source.source_id, quota, messages, clock.now())


async def test_flood_of_one_member_leaves_the_others_their_rate(world, running):
    flood, calm = await world.feed(), await world.feed()
    pipeline = running.intake.pipeline
    flooding = [
        _delivery(flood, *(line(f"{batch} {number}") for number in range(500)), quota=400) for batch in range(20)
    ]
    for one in flooding:
        pipeline.deliver(one)
    for number in range(40):
        delivery = _delivery(calm, line(f"calm {number}"))
        pipeline.deliver(delivery)
        await asyncio.wait_for(delivery.done, 5)
    assert len(await world.stored(calm)) == 40
    assert len(await world.stored(flood)) < 5_000, "the quota of 400 a second, 800 at once, was not kept"
    assert not flooding[-1].done.done()


async def test_member_gets_its_quota_and_no_more_from_two_processes_together(world, running):
    from esante.services.soc.intake.pipeline import Pipeline

    feed = await world.feed()
    other = Pipeline(world.db, world.events, world.alerts, running.intake.rules.rules)
    working = asyncio.create_task(other.run())
    began = asyncio.get_running_loop().time()
    for pipeline in (running.intake.pipeline, other):
        pipeline.deliver(_delivery(feed, *(line(str(number)) for number in range(4_000)), quota=200))
    await asyncio.sleep(2)
    stored, passed = len(await world.stored(feed)), asyncio.get_running_loop().time() - began
    working.cancel()
    assert 300 <= stored <= 200 * (2 + passed) + 200


async def test_clock_that_is_off_by_years_is_marked_and_the_event_lies_on_the_day_of_receipt(world, running):
    feed = await world.feed()
    stamps = ["1999-01-01T00:00:00Z", "2099-01-01T00:00:00Z", f"{clock.now():%Y-%m-%dT%H:%M:%SZ}", "-"]
    delivery = _delivery(feed, *(line("x", stamp=stamp) for stamp in stamps))
    running.intake.pipeline.deliver(delivery)
    await delivery.done
    stored = await world.stored(feed)
    assert [one.clock_is_off for one in stored] == [True, True, False, False]
    assert [one.occurred_at and one.occurred_at.year for one in stored[:2]] == [1999, 2099]
    assert {one.received_at.date() for one in stored} == {clock.now().date()}
    assert [one async for batch in world.events.read(clock.now().date(), feed.tenant_id) for one in batch] == stored


async def test_event_that_the_database_refuses_is_kept_as_a_fault_and_the_others_are_stored(
    world, running, monkeypatch
):
    feed = await world.feed()
    append = type(world.events).append

    async def refusing(self, conn, events):
        if any(one.summary == "poison" for one in events):
            await conn.execute("SELECT 1/0")
        await append(self, conn, events)

    monkeypatch.setattr(type(world.events), "append", refusing)
    delivery = _delivery(feed, line("one"), line("poison"), line("three"))
    running.intake.pipeline.deliver(delivery)
    await delivery.done
    stored = await world.stored(feed)
    assert sorted(one.summary for one in stored if not one.fault) == ["one", "three"]
    (fault,) = (one for one in stored if one.fault)
    assert "poison" in fault.event["raw_data"]


async def test_events_wait_for_a_database_that_is_away_and_are_stored_once(world, running, monkeypatch):
    feed = await world.feed()
    append, attempts = type(world.events).append, []

    async def failing(self, conn, events):
        attempts.append(len(events))
        await append(self, conn, events)
        if len(attempts) == 1:
            raise asyncpg.ConnectionDoesNotExistError
        if len(attempts) == 2:
            raise Unavailable

    monkeypatch.setattr(type(world.events), "append", failing)
    delivery = _delivery(feed, line("one"), orjson.dumps(SHADOW_EVENT))
    running.intake.pipeline.deliver(delivery)
    await delivery.done
    assert len(attempts) == 3
    assert len(await world.stored(feed)) == 2
    assert len(await world.raised(feed)) == 1


async def test_missing_day_is_made_when_an_event_of_it_comes(world, running):
    feed = await world.feed()
    await world.events.drop(clock.now().date())
    delivery = _delivery(feed, line("one"))
    running.intake.pipeline.deliver(delivery)
    await asyncio.wait_for(delivery.done, 10)
    assert len(await world.stored(feed)) == 1


async def test_text_with_nul_and_names_without_end_are_stored(world, running):
    feed = await world.feed()
    event = {**SHADOW_EVENT, "Computer": "a\0" + "b" * 5_000, "User": "\0eve", "CommandLine": "vssadmin \0 delete"}
    delivery = _delivery(feed, orjson.dumps(event), b"<134>1 - h\0st app 1 - - a\0b")
    running.intake.pipeline.deliver(delivery)
    await delivery.done
    stored = await world.stored(feed)
    assert [one.fault for one in stored] == ["", ""]
    assert stored[0].user == "eve"
    assert orjson.loads(stored[0].event["raw_data"]) == event
    (alert,) = await until(lambda: world.raised(feed))
    assert alert.evidence[0].value == "vssadmin  delete"


async def test_same_event_again_raises_no_second_alert(world, running):
    feed = await world.feed()
    for _ in range(3):
        delivery = _delivery(feed, orjson.dumps(SHADOW_EVENT))
        running.intake.pipeline.deliver(delivery)
        await delivery.done
    assert len(await world.raised(feed)) == 1
    assert len({one.key for one in await world.stored(feed)}) == 1


async def test_rule_that_finds_without_end_raises_a_bounded_number_of_alerts(world, running):
    feed = await world.feed()
    events = [orjson.dumps({**SHADOW_EVENT, "ProcessId": number}) for number in range(200)]
    delivery = _delivery(feed, *events)
    running.intake.pipeline.deliver(delivery)
    await delivery.done
    alerts = await world.raised(feed)
    assert len(alerts) == 21
    assert sum(":many:" in one.key for one in alerts) == 1
    assert len(await world.stored(feed, rule=alerts[0].rule)) == 200


_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_NAMES = (
    st.sampled_from(
        [
            "class_uid",
            "activity_id",
            "severity_id",
            "time",
            "metadata",
            "device",
            "actor",
            "user",
            "src_endpoint",
            "message",
            "resourceType",
            "Event",
            "System",
            "winlog",
            "Channel",
            "EventID",
            "hostname",
            "name",
            "ip",
            "recorded",
            "agent",
        ]
    )
    | _TEXT
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | _TEXT
    | st.sampled_from(["AuditEvent", 1007]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=12,
)


def _encoded(value):
    import json

    return json.dumps(value).encode()


@given(
    st.binary(max_size=200)
    | st.dictionaries(_NAMES, _JSON, max_size=8).map(_encoded)
    | _TEXT.map(lambda text: line(text))
)
def test_whatever_comes_is_an_event_that_holds_it(message):
    tenant, now = uuid7(), clock.now()
    event, _ = MessageReader(tenant, tenant, now).read(message)
    assert len(event.host) <= 255
    assert "\0" not in event.host + event.user + event.ip + event.summary + event.fault
    assert 0 <= event.severity <= 99
    assert b"\n" not in event.content
    if event.fault:
        assert event.event["status_detail"].startswith(event.fault)
    else:
        assert event.class_uid == normalize(message)["class_uid"]


@pytest.mark.parametrize("depth", [100, 300, 5_000])
def test_event_that_is_nested_without_end_is_kept_as_a_fault_or_event(depth):
    tenant = uuid7()
    message = b'{"a": ' + b'{"a": ' * depth + b"1" + b"}" * depth + b"}"
    event, _ = MessageReader(tenant, tenant, clock.now()).read(message)
    assert bool(event.fault) == (depth > 254)
    assert event.event["raw_data"] == message.decode()


def test_old_event_of_a_file_is_believed():
    tenant, now = uuid7(), clock.now()
    for archived, is_off in ((False, True), (True, False)):
        reader = MessageReader(tenant, tenant, now, archived=archived)
        event, _ = reader.read(line("x", stamp=f"{now - timedelta(days=4_000):%Y-%m-%dT%H:%M:%SZ}"))
        assert event.clock_is_off is is_off
