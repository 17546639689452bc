"""Threat intelligence: what is read of MISP, STIX and TAXII, what matches, what is bounded."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.outbound import AddressPolicy, parse_networks
from esante.core.web import Problem
from esante.services.soc.alerts.model import AlertFilter, Origin
from esante.services.soc.hunting.search import HuntSearch
from esante.services.soc.intelligence import feeds as feeds_module
from esante.services.soc.intelligence import indicator_store
from esante.services.soc.intelligence.feeds import Feed, FeedReader, load_feeds
from esante.services.soc.intelligence.indicator_set import IndicatorSet
from esante.services.soc.intelligence.lifetimes import bounds
from esante.services.soc.intelligence.matching import EventHits
from esante.services.soc.intelligence.misp import read_misp
from esante.services.soc.intelligence.model import IndicatorFilter, NotRead, Tlp
from esante.services.soc.intelligence.observables import (
    Observable,
    ObservableKind,
    guess_observable,
    observable_of,
    observables_of,
)
from esante.services.soc.intelligence.service import Intelligence
from esante.services.soc.intelligence.stix import read_stix
from esante.services.soc.intelligence.warning_lists import WarningLists, load_warning_lists
from esante.services.soc.storage.service import EventStore
from tests.support.processes import environment, free_port
from tests.support.soc_hunting import keep, stored

KEY = "k" * 40
NOW = datetime.now(UTC).replace(microsecond=0)
STAMP = int(NOW.timestamp()) - 3600
SHA = "a" * 64


def attribute(value, kind="ip-dst", **changes):
    """Return an attribute of MISP."""
    given = {"uuid": str(uuid4()), "type": kind, "value": value, "to_ids": True, "timestamp": str(STAMP)}
    event = {"info": "Ransomware against hospitals", "Tag": [{"name": "tlp:green"}]}
    return {**given, "Event": event, **changes}


def indicator(pattern, **changes):
    """Return an indicator of STIX."""
    given = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid4()}",
        "created": "2026-11-01T00:00:00.000Z",
        "modified": "2026-11-01T00:00:00.000Z",
        "name": "Loader",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-11-01T00:00:00Z",
    }
    return given | changes


def bundle(*objects):
    return json.dumps({"type": "bundle", "id": f"bundle--{uuid4()}", "objects": objects}).encode()


def test_misp_attributes_become_indicators_with_tlp_confidence_and_end():
    event = {
        "info": "Phishing",
        "Tag": [{"name": "tlp:amber+strict"}, {"name": 'misp:confidence-level="usually-confident"'}],
        "Attribute": [
            attribute("198.51.100.7"),
            attribute("evil.example.org|198.51.100.8", "domain|ip"),
            attribute(f"invoice.exe|{SHA}", "filename|sha256"),
            attribute("hxxp://no", "comment"),
            attribute("203.0.113.9", to_ids=False),
            attribute("not an address"),
            "broken",
        ],
        "Object": [{"Attribute": [attribute("Bad@Evil.Example.org", "email-src")]}],
    }
    for one in event["Attribute"][:-1] + event["Object"][0]["Attribute"]:
        del one["Event"]
    reading = read_misp(json.dumps({"response": [{"Event": event}]}).encode())
    values = {(one.kind, one.value) for one in reading.indicators}
    assert values == {
        ("ip", "198.51.100.7"),
        ("domain", "evil.example.org"),
        ("ip", "198.51.100.8"),
        ("hash", SHA),
        ("email", "bad@evil.example.org"),
    }
    assert sum(reading.skipped.values()) == 4 and len(reading.skipped) == 4
    first = reading.indicators[0]
    assert (first.tlp, first.confidence, first.title) == (Tlp.AMBER_STRICT, 75, "Phishing")
    assert first.valid_until - datetime.fromtimestamp(STAMP, UTC) == timedelta(days=bounds()["lifetime_days"]["ip"])
    assert reading.marker == str(STAMP)


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        ("[ipv4-addr:value = '198.51.100.1']", {"198.51.100.1"}),
        ("[ipv4-addr:value = '198.51.100.0/24']", {"198.51.100.0/24"}),
        (
            "[domain-name:value = 'A.Example.org' OR url:value = 'http://a.example.org/x#f']",
            {"a.example.org", "http://a.example.org/x"},
        ),
        (f"[file:hashes.'SHA-256' = '{SHA}'] OR [file:hashes.MD5 = '{'b' * 32}']", {SHA, "b" * 32}),
        ("[ipv4-addr:value = '198.51.100.1' AND domain-name:value = 'a.example.org']", set()),
        ("[ipv4-addr:value = '198.51.100.1'] FOLLOWEDBY [domain-name:value = 'a.example.org']", set()),
        ("[ipv4-addr:value = '198.51.100.1'] REPEATS 5 TIMES", set()),
        ("[domain-name:value LIKE '%.example.org']", set()),
        ("[domain-name:value = 'and.example.org']", {"and.example.org"}),
        ("[process:name = 'x.exe']", set()),
        ("[ipv4-addr:value = ", set()),
    ],
)
def test_stix_pattern_of_single_values_is_taken_and_any_other_is_counted(pattern, values):
    reading = read_stix(bundle(indicator(pattern)))
    assert {one.value for one in reading.indicators} == values
    assert bool(reading.skipped) == (not values)


def test_stix_indicator_keeps_validity_tlp_and_revocation():
    marking = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
    given = indicator(
        "[url:value = 'https://x.example.org/']",
        valid_until="2026-12-24T00:00:00Z",
        confidence=90,
        object_marking_refs=[marking],
        revoked=True,
    )
    (one,) = read_stix(bundle(given)).indicators
    assert (one.tlp, one.confidence, one.revoked) == (Tlp.AMBER_STRICT, 90, True)
    assert one.valid_until == datetime(2026, 12, 24, tzinfo=UTC)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["response", "Event", "Attribute", "Object", "objects", "type", "info", "Tag"]), x
            )
        ),
    ).map(lambda v: json.dumps(v).encode())
)
def test_hostile_file_is_refused_or_counted(content):
    for read in (read_misp, read_stix):
        try:
            reading = read(content)
        except NotRead:
            continue
        assert reading.indicators == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hxxps://Evil[.]Example.org:443/A?b#c", ("url", "https://evil.example.org/A?b")),
        ("::ffff:198.51.100.1", ("ip", "198.51.100.1")),
        ("2001:DB8::0001", ("ip", "2001:db8::1")),
        ("Bücher.example", ("domain", "xn--bcher-kva.example")),
        ("EVIL.example.", ("domain", "evil.example")),
        ("D41D8CD98F00B204E9800998ECF8427E", ("hash", "d41d8cd98f00b204e9800998ecf8427e")),
        ("a b", None),
        ("x" * 5000, None),
    ],
)
def test_observable_has_one_form(text, expected):
    found = guess_observable(text)
    assert (tuple(found) if found else None) == expected


def test_event_gives_its_observables_and_not_those_of_its_original():
    event = {
        "src_endpoint": {"ip": "10.0.0.1"},
        "file": {"hashes": [{"value": SHA.upper()}]},
        "http_request": {"url": {"url_string": "http://a.example.org/x"}},
        "email": {"to": ["x@b.example.org"]},
        "unmapped": {"Hashes": f"MD5={'c' * 32},IMPHASH={'d' * 32}"},
        "raw_data": "203.0.113.1",
        "deep": None,
    }
    values = {one.value for one in observables_of(event)}
    assert values == {"10.0.0.1", SHA, "http://a.example.org/x", "a.example.org", "x@b.example.org", "c" * 32}


def kept(kind, value, **changes):
    """Return an indicator that is kept."""
    given = {
        "kind": ObservableKind(kind),
        "value": value,
        "reference": value,
        "tlp": Tlp.GREEN,
        "confidence": 80,
        "valid_from": NOW - timedelta(days=1),
        "valid_until": None,
        "title": "",
        "indicator_id": uuid4(),
        "feed": "f",
        "added_at": NOW,
    }
    return indicator_store.KeptIndicator(**given | changes)


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


@pytest.fixture
async def intelligence(world, objects, tmp_path):
    """Threat intelligence without feeds over an empty set of indicators."""
    await world.db.fetch("DELETE FROM soc_indicator")
    await world.db.fetch("DELETE FROM soc_past_search")
    search = HuntSearch(world.db, objects, EventStore(world.db), tmp_path)
    reader = FeedReader(AddressPolicy(parse_networks("127.0.0.0/8")))
    return Intelligence(world.db, world.journal, world.alerts, search, reader, (), load_warning_lists())


async def import_indicators(world, intelligence, *attributes):
    content = json.dumps({"response": {"Attribute": attributes}}).encode()
    return await intelligence.import_file(world.anna, "test.json", content, Tlp.AMBER)


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


class Process:
    """A server outside as a process."""

    def __init__(self, port, *command):
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [sys.executable, *command], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(self.url, timeout=1)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("the server does not start")

    def stop(self):
        self._process.terminate()
        self._process.wait(10)


async def values_of(world, feed):
    rows = await world.db.fetch("SELECT value FROM soc_indicator WHERE feed = $1 AND NOT revoked", feed)
    return {row["value"] for row in rows}


async def test_misp_server_is_read_in_pages_and_its_faults_are_shown(world, intelligence, tmp_path, monkeypatch):
    monkeypatch.setattr(feeds_module, "PAGE_ENTRIES", 10)
    port = free_port()
    server = Process(port, "-m", "tests.support.misp_server", str(port), KEY)
    try:
        (tmp_path / "key").write_text(KEY)
        feed = Feed(name="circl", kind="misp", url=server.url, key_file=str(tmp_path / "key"), confidence=10)
        listed = [attribute(f"198.51.100.{number}") for number in range(25)]
        httpx.put(f"{server.url}/control/attributes", json=listed)
        await intelligence.read_feed(feed)
        assert len(await values_of(world, "circl")) == 25
        later = attribute("198.51.100.99", timestamp=str(STAMP + 60))
        gone = {**listed[3], "deleted": True, "timestamp": str(STAMP + 60)}
        httpx.put(f"{server.url}/control/attributes", json=[*listed[:3], gone, *listed[4:], later])
        await intelligence.read_feed(feed)
        assert await values_of(world, "circl") == {one["value"] for one in (*listed, later)} - {"198.51.100.3"}
        for fault, reason in [({"status": 500}, "as it should"), ({"garbage": True}, "JSON")]:
            httpx.put(f"{server.url}/control/faults", json=fault)
            await intelligence.read_feed(feed)
            state = (await intelligence.states(world.anna))["circl"]
            assert reason in state.failure and state.indicators == 25 and state.marker == str(STAMP + 60)
        (tmp_path / "key").write_text("wrong")
        httpx.put(f"{server.url}/control/faults", json={})
        await intelligence.read_feed(feed)
        assert "refuses the key" in (await intelligence.states(world.anna))["circl"].failure
    finally:
        server.stop()
    await intelligence.read_feed(feed)
    assert "does not answer" in (await intelligence.states(world.anna))["circl"].failure


async def test_taxii_server_of_others_is_read(world, intelligence, tmp_path):
    pytest.importorskip("medallion")
    collection = str(uuid4())
    objects = [indicator(f"[domain-name:value = 'd{number}.example.org']") for number in range(3)]
    data = {
        "/discovery": {"title": "T", "default": "", "api_roots": []},
        "root": {
            "information": {
                "title": "R",
                "versions": ["application/taxii+json;version=2.1"],
                "max_content_length": 9765625,
            },
            "status": [],
            "collections": [
                {
                    "id": collection,
                    "title": "C",
                    "can_read": True,
                    "can_write": False,
                    "media_types": ["application/stix+json;version=2.1"],
                    "objects": objects,
                    "manifest": [
                        {
                            "id": one["id"],
                            "date_added": one["created"],
                            "version": one["modified"],
                            "media_type": "application/stix+json;version=2.1",
                        }
                        for one in objects
                    ],
                }
            ],
        },
    }
    (tmp_path / "data.json").write_text(json.dumps(data))
    config = {
        "backend": {
            "module_class": "MemoryBackend",
            "module": "medallion.backends.memory_backend",
            "filename": str(tmp_path / "data.json"),
        },
        "users": {"agency": "secret"},
        "taxii": {"max_page_size": 2},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "key").write_text("agency:secret\n")
    port = free_port()
    server = Process(port, "-m", "medallion.scripts.run", "--port", str(port), str(tmp_path / "config.json"))
    try:
        feed = Feed(
            name="taxii", kind="taxii", url=f"{server.url}/root", collection=collection, key_file=str(tmp_path / "key")
        )
        await intelligence.read_feed(feed)
        state = (await intelligence.states(world.anna))["taxii"]
        assert (state.failure, await values_of(world, "taxii")) == (
            "",
            {f"d{number}.example.org" for number in range(3)},
        )
    finally:
        server.stop()


async def test_address_that_may_not_be_called_is_refused(world, intelligence):
    reader = FeedReader(AddressPolicy())
    with pytest.raises(NotRead) as caught:
        await reader.read(Feed(name="x", kind="misp", url="http://127.0.0.1:1"), "")
    assert "ESANTE_SOC_FEED_NETWORKS" in caught.value.remedy


def test_feeds_file_that_is_wrong_names_place_and_remedy(tmp_path):
    path = tmp_path / "feeds.toml"
    path.write_text('[[feed]]\nname = "a"\nkind = "misp"\nurl = "https://misp.example/"\ntlp = "green"\n')
    (feed,) = load_feeds(str(path))
    assert (feed.url, feed.tlp, feed.every) == ("https://misp.example", Tlp.GREEN, timedelta(hours=1))
    for text in (
        '[[feed]]\nname="a"',
        '[[feed]]\nname="a"\nkind="ftp"\nurl=""',
        '[[feed]]\nname="a"\nkind="taxii"\nurl=""',
        "x",
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"feeds\.toml.*operations\.md"):
            load_feeds(str(path))
