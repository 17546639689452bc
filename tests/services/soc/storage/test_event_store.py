"""The hot storage of events over a real PostgreSQL."""

from datetime import date, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.services.soc.storage.blocks import pack_block, unpack_block
from esante.services.soc.storage.model import EventQuery
from esante.services.soc.tenants.model import Scope
from tests.support.soc import NOON
from tests.support.soc_events import a_stored_event, store

DAY = NOON.date()
EVERYTHING = Scope(None)


async def _read(events, day, tenant_id=None):
    return [one async for batch in events.read(day, tenant_id) for one in batch]


async def test_what_was_stored_is_read_by_day_and_member_in_order_of_receipt(db):
    one, other = uuid7(), uuid7()
    stored = [a_stored_event(one if number % 2 else other, NOON + timedelta(seconds=number)) for number in range(7)]
    next_day = a_stored_event(one, NOON + timedelta(days=1))
    events = await store(db, *stored, next_day)
    assert [found for found in await _read(events, DAY) if found.tenant_id in (one, other)] == stored
    assert await _read(events, DAY, one) == stored[1::2]
    assert await _read(events, DAY + timedelta(days=1), one) == [next_day]


async def test_read_of_more_than_a_batch_gives_each_event_once(db, monkeypatch):
    monkeypatch.setattr("esante.services.soc.storage.service.READ_BATCH", 3)
    tenant = uuid7()
    stored = [a_stored_event(tenant, NOON + timedelta(seconds=number)) for number in range(8)]
    events = await store(db, *stored)
    assert await _read(events, DAY, tenant) == stored


async def test_search_finds_by_each_property_and_pages_from_the_newest(db):
    tenant = uuid7()
    times = [NOON + timedelta(minutes=number) for number in range(4)]
    plain = a_stored_event(tenant, times[0], "logged in", user="eve", host="ws-1", ip="192.0.2.1")
    severe = a_stored_event(tenant, times[1], "Failed", severity=4, class_uid=3002, rules=("r1", "r2"))
    broken = a_stored_event(tenant, times[2], fault="the event is not UTF-8")
    last = a_stored_event(tenant, times[3], "another 100% line")
    events, scope = await store(db, plain, severe, broken, last), Scope(tenant)
    for query, expected in [
        (EventQuery(), [last, broken, severe, plain]),
        (EventQuery(user="EVE"), [plain]),
        (EventQuery(host="WS-1"), [plain]),
        (EventQuery(ip="192.0.2.1"), [plain]),
        (EventQuery(text="fail"), [severe]),
        (EventQuery(text="100%"), [last]),
        (EventQuery(severity=2), [severe]),
        (EventQuery(class_uid=3002), [severe]),
        (EventQuery(rule="r2"), [severe]),
        (EventQuery(rule="r"), []),
        (EventQuery(faults=True), [broken]),
        (EventQuery(source_id=uuid7()), []),
        (EventQuery(since=times[1], until=times[2]), [severe]),
    ]:
        assert await events.search(scope, query) == expected, query
    first = await events.search(scope, EventQuery(), limit=2)
    assert first + await events.search(scope, EventQuery(), first[-1].event_id) == [last, broken, severe, plain]


async def test_search_of_a_member_shows_nothing_of_another(db):
    one, other = uuid7(), uuid7()
    mine = a_stored_event(one, NOON + timedelta(hours=1))
    events = await store(db, mine, a_stored_event(other, NOON + timedelta(hours=1)))
    assert await events.search(Scope(one), EventQuery()) == [mine]
    found = await events.search(EVERYTHING, EventQuery(), limit=500)
    assert {one, other} <= {event.tenant_id for event in found}


async def test_dropped_day_is_gone_and_others_stay(db):
    tenant, later = uuid7(), NOON + timedelta(days=30)
    events = await store(db, a_stored_event(tenant, later), kept := a_stored_event(tenant, later + timedelta(days=1)))
    assert later.date() in await events.days()
    await events.drop(later.date())
    assert later.date() not in await events.days()
    assert await events.search(Scope(tenant), EventQuery()) == [kept]
    await events.drop(date(1999, 1, 1))


async def test_deleted_member_leaves_no_event(db):
    one, other = uuid7(), uuid7()
    events = await store(db, a_stored_event(one), kept := a_stored_event(other))
    assert await events.delete(one) == 1
    assert not await events.search(Scope(one), EventQuery())
    assert await events.search(Scope(other), EventQuery()) == [kept]
    assert not await db.fetchval("SELECT count(*) FROM soc_event_block WHERE tenant_id = $1", one)


async def test_failed_transaction_stores_nothing(db):
    tenant = uuid7()
    events = await store(db)
    one = a_stored_event(tenant)
    await events.prepare_for([one])
    with pytest.raises(RuntimeError):
        async with db.transaction() as conn:
            await events.append(conn, [one])
            raise RuntimeError
    assert not await events.search(Scope(tenant), EventQuery())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=30)
@given(st.lists(st.dictionaries(st.text(st.characters(codec="utf-8")), _JSON), min_size=1, max_size=8))
def test_block_gives_back_what_was_packed(events):
    assert [orjson.loads(line) for line in unpack_block(pack_block(map(orjson.dumps, events)))] == events
