"""Which indicators match, what is bounded, and what operators see of it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core.web import Problem
from esante.services.soc.alerts.model import AlertFilter, Origin
from esante.services.soc.intelligence import indicator_store
from esante.services.soc.intelligence.indicator_set import IndicatorSet
from esante.services.soc.intelligence.lifetimes import bounds
from esante.services.soc.intelligence.matching import EventHits
from esante.services.soc.intelligence.model import IndicatorFilter, Tlp
from esante.services.soc.intelligence.observables import (
    Observable,
    ObservableKind,
    observable_of,
)
from esante.services.soc.intelligence.warning_lists import WarningLists, load_warning_lists
from tests.support.soc_hunting import keep, stored
from tests.support.soc_indicators import NOW, attribute, import_indicators, kept


def test_only_indicators_in_force_match_and_networks_too():
    known = IndicatorSet(WarningLists([], [], []))
    known.put(
        [
            kept("ip", "198.51.100.1"),
            kept("ip", "198.51.100.2", valid_until=NOW - timedelta(days=1)),
            kept("ip", "198.51.100.3", valid_from=NOW + timedelta(days=1)),
            kept("network", "203.0.113.0/24"),
            kept("network", "2001:db8::/48"),
        ]
    )
    for text, hits in [
        ("198.51.100.1", 1),
        ("198.51.100.2", 0),
        ("198.51.100.3", 0),
        ("203.0.113.77", 1),
        ("203.0.114.1", 0),
        ("2001:db8::5", 1),
    ]:
        assert len(known.match_value(observable_of(ObservableKind.IP, text), NOW)) == hits, text
    revoked = kept("network", "203.0.113.0/24", revoked=True)
    known.put(
        [
            replace(
                revoked,
                indicator_id=known.match_value(Observable(ObservableKind.IP, "203.0.113.77"), NOW)[0].indicator_id,
            )
        ]
    )
    assert known.match_value(Observable(ObservableKind.IP, "203.0.113.77"), NOW) == []


def test_common_values_and_wide_networks_are_never_indicators(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps({"type": "hostname", "list": ["chu.lu"]}))
    known = IndicatorSet(load_warning_lists(str(tmp_path)))
    common = [
        ("ip", "8.8.8.8"),
        ("ip", "192.168.1.1"),
        ("network", "0.0.0.0/0"),
        ("network", "10.1.0.0/24"),
        ("domain", "x.windowsupdate.com"),
        ("domain", "www.chu.lu"),
        ("hash", "d41d8cd98f00b204e9800998ecf8427e"),
    ]
    known.put(kept(kind, value) for kind, value in common)
    assert (len(known), known.common) == (0, len(common))
    (tmp_path / "own.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"own\.json"):
        load_warning_lists(str(tmp_path))


async def record(world, intelligence, tenant_id, *events):
    async with world.db.transaction() as conn:
        return await intelligence.matcher.record_in(conn, tenant_id, events)


async def test_matches_of_an_indicator_and_day_are_capped_and_the_rest_is_counted(world, intelligence, monkeypatch):
    tenant, _ = await world.member("Hôpital A")
    await import_indicators(world, intelligence, attribute("198.51.100.1"))
    await intelligence.matcher.refresh()
    hits = intelligence.matcher.match({"dst_endpoint": {"ip": "198.51.100.1"}})
    assert len(hits) == 1
    events = [EventHits(event_id=str(number), at=NOW, subject="ws", hits=hits) for number in range(130)]
    alerts = await record(world, intelligence, tenant.tenant_id, *events)
    assert len(alerts) == 1
    await record(world, intelligence, tenant.tenant_id, *events[:100])
    (day,) = await indicator_store.fetch_days(world.db, NOW.date())
    assert day[1:] == (100, 30)
    busiest = await intelligence.busiest(world.anna, NOW.date())
    assert [(one.value, kept, dropped) for one, kept, dropped in busiest] == [("198.51.100.1", 100, 30)]


async def test_alerts_of_an_indicator_and_day_over_all_members_are_bounded(world, intelligence, monkeypatch):
    monkeypatch.setitem(bounds(), "alerts_per_day", 2)
    await import_indicators(world, intelligence, attribute("198.51.100.2"))
    await intelligence.matcher.refresh()
    hits = intelligence.matcher.match({"dst_endpoint": {"ip": "198.51.100.2"}})
    made = []
    for number in range(4):
        tenant, _ = await world.member(f"Member {number}")
        made += await record(
            world, intelligence, tenant.tenant_id, EventHits(event_id="e", at=NOW, subject="", hits=hits)
        )
    assert len(made) == 2


async def test_new_indicator_is_found_in_past_events_once(world, intelligence):
    tenant, contact = await world.member("Hôpital P")
    other, _ = await world.member("Hôpital Q")
    at = NOW - timedelta(hours=3)
    for number, one in enumerate((tenant, other)):
        event = {"dst_endpoint": {"ip": ("198.51.100.77", "198.51.100.78")[number]}}
        await keep(world.db, [stored(one.tenant_id, at, number, event=event)])
    await intelligence.search_past()
    await import_indicators(world, intelligence, attribute("198.51.100.77"))
    await intelligence.search_past()
    await intelligence.search_past()
    (alert,) = (await world.alerts.page(contact, AlertFilter(origin=Origin.INTELLIGENCE))).items
    assert alert.subject == "198.51.100.77" and alert.evidence[0].value == "198.51.100.77"
    assert (await world.alerts.page(world.anna, AlertFilter(origin=Origin.INTELLIGENCE))).items == [alert]


async def test_indicators_are_listed_searched_and_shown_to_operators_only(world, intelligence):
    _, contact = await world.member("Hôpital L")
    await import_indicators(world, intelligence, *(attribute(f"198.51.100.{number}") for number in range(60)))
    page = await intelligence.page(world.anna, IndicatorFilter())
    rest = await intelligence.page(world.anna, IndicatorFilter(), page.next)
    assert len({one.value for one in (*page.items, *rest.items)}) == 60 and rest.next is None
    (found,) = (await intelligence.page(world.anna, IndicatorFilter(text="100.59"))).items
    assert found.value == "198.51.100.59" and found.tlp is Tlp.GREEN
    with pytest.raises(Problem) as caught:
        await intelligence.page(contact, IndicatorFilter())
    assert caught.value.status == 403
