"""Feeds of MISP and TAXII servers, as processes with faults."""

import json
import subprocess
import sys
import time
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from esante.core.outbound import AddressPolicy
from esante.services.soc.intelligence import feeds as feeds_module
from esante.services.soc.intelligence.feeds import Feed, FeedReader, load_feeds
from esante.services.soc.intelligence.model import NotRead, Tlp
from tests.support.processes import environment, free_port
from tests.support.soc_indicators import STAMP, attribute, indicator

KEY = "k" * 40


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
