"""Threat intelligence and sightings in the stream: matched, alerted once, counted by member."""

import json
from uuid import uuid4

import orjson
import pytest

from esante.core import clock
from esante.core.outbound import AddressPolicy
from esante.services.soc.alerts.model import Origin
from esante.services.soc.hunting.search import HuntSearch
from esante.services.soc.intake.model import Delivery
from esante.services.soc.intelligence.feeds import FeedReader
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.intelligence.observables import ObservableKind, observable_of
from esante.services.soc.intelligence.service import Intelligence
from esante.services.soc.intelligence.warning_lists import load_warning_lists
from esante.services.soc.sharing import sharing_store
from tests.support.soc_intake import SHADOW_EVENT

BAD = "198.51.100.77"


def connection(address, number=0):
    """Return a connection of a computer to an address, as Sysmon tells it."""
    event = {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "EventID": 3,
        "Computer": "WS-17",
        "UtcTime": "2026-05-04 12:00:00.000",
        "Image": "C:\\x.exe",
        "DestinationIp": address,
        "DestinationPort": 443,
        "SourcePort": number,
    }
    return orjson.dumps(event)


async def store(running, feed, *messages):
    delivery = Delivery(feed.tenant_id, feed.source.source_id, 100_000, messages, clock.now())
    running.intake.pipeline.deliver(delivery)
    await delivery.done


@pytest.fixture
async def indicator(world, objects, tmp_path):
    """An indicator in force: an address."""
    search = HuntSearch(world.db, objects, world.events, tmp_path)
    reader = FeedReader(AddressPolicy([]))
    intelligence = Intelligence(world.db, world.journal, world.alerts, search, reader, (), load_warning_lists())
    stamp = str(int(clock.now().timestamp()) - 3600)
    attribute = {"uuid": str(uuid4()), "type": "ip-dst", "value": BAD, "to_ids": True, "timestamp": stamp}
    event = {"info": "Ransomware against hospitals", "Tag": [{"name": "tlp:green"}]}
    content = json.dumps({"response": {"Attribute": [{**attribute, "Event": event}]}}).encode()
    await intelligence.import_file(world.anna, "test.json", content, Tlp.AMBER)
    await world.matcher.refresh()


async def sighted_by(world, address):
    observable = observable_of(ObservableKind.IP, address)
    async with world.db.transaction() as conn:
        return await sharing_store.fetch_sighting_members(
            conn, world.sightings.token_of(observable), clock.now().date().replace(day=1, month=1)
        )


async def test_event_with_an_indicator_alerts_once_and_others_do_not(world, running, indicator):
    feed = await world.feed()
    await store(running, feed, connection(BAD, 1), connection("198.51.100.78", 2))
    await store(running, feed, connection(BAD, 3))
    (alert,) = await world.raised(feed)
    assert (alert.origin, alert.subject) == (Origin.INTELLIGENCE, "ws-17")
    assert alert.evidence[0].value == BAD
    first = next(one for one in await world.stored(feed) if str(one.event_id) == alert.evidence[0].event)
    assert BAD in first.content.decode()


async def test_sightings_are_of_members_whose_alerts_have_the_observable(world, running, indicator):
    first, second, third = [await world.feed() for _ in range(3)]
    await store(running, first, connection(BAD))
    await store(running, second, connection(BAD), connection("203.0.113.9"))
    await store(running, third, connection("203.0.113.9"), orjson.dumps(SHADOW_EVENT))
    assert {first.tenant_id, second.tenant_id} <= await sighted_by(world, BAD)
    assert third.tenant_id not in await sighted_by(world, BAD)
    assert await sighted_by(world, "203.0.113.9") == set()
