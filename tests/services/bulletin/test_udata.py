"""The push against the real udata 17.18.0 (PyPI), which runs here on an in-memory substitute for MongoDB.

So this verifies the push against udata's own code, not against data.public.lu, and not against a real MongoDB. udata
lives in an environment of its own, made once in .tools/ (its dependencies are many and pinned); where that cannot be
made, the tests are skipped and say so.
"""

import asyncio
import http.server
import json
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from esante.services.bulletin import PortalPublisher
from esante.services.bulletin.dissemination.udata_client import PortalError, PortalTarget, push
from esante.services.bulletin.publication import publish
from esante.services.bulletin.publication.dcat import Edition, catalogue, encode_turtle
from tests.services.bulletin.conftest import LAST, NOW, bulletin_over, with_past
from tests.services.bulletin.sample import BASE, sample_issue

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".tools" / "udata-17.18.0"
PINS = ["udata==17.18.0", "mongomock==4.3.0"]


@pytest.fixture(scope="module")
def udata(tmp_path_factory):
    """A running udata: its address, a key, and a way to a fresh organisation."""
    python = HOME / "bin" / "python"
    if not python.exists():
        uv = str(ROOT / ".venv" / "bin" / "uv")
        for command in (
            [uv, "venv", "--quiet", str(HOME)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *PINS],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"udata cannot be installed here: {done.stderr[-300:]}")
    script = Path(__file__).with_name("udata_server.py")
    folder = tmp_path_factory.mktemp("udata")
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([python, script], stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder) as process,
    ):
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()[-2_000:]
        yield json.loads(line)
        process.kill()


@pytest.fixture
def target(udata):
    """A portal on which nothing of ours is yet: an organisation of this test's own."""
    organization = httpx.post(f"{udata['url']}/-/organization", timeout=30).json()["id"]
    return PortalTarget(udata["url"], udata["key"], organization)


@pytest.fixture(scope="module")
def editions(tmp_path_factory):
    """Two versions of a month, with few files each: one that is stored, one that udata has no place for, a PDF."""
    wanted = ("v1.csv", "v1.parquet", "-fr.pdf", "dictionary-fr.csv")
    issue = sample_issue(months=2)
    first = [
        file for file in publish(issue, tmp_path_factory.mktemp("files"), BASE) if file.path.name.endswith(wanted)
    ]
    second = []
    for file in first[:1]:
        path = file.path.with_name(file.path.name.replace("-v1", "-v2"))
        path.write_bytes(file.path.read_bytes() + b"\r\n")
        second.append(replace(file, path=path))
    return [
        Edition("2026-10", 1, "provisional", issue.released_at, first),
        Edition("2026-10", 2, "revised", issue.released_at.replace(day=20), second, "Late deposits"),
    ]


async def pushed(target, editions, **options):
    async with httpx.AsyncClient(timeout=30, **options) as client:
        return await push(target, editions, BASE, client)


def datasets(target):
    """Everything of the organisation, as its members see it."""
    url = f"{target.url}/api/1/organizations/{target.organization}/datasets/"
    return httpx.get(url, headers={"X-API-KEY": target.key}, timeout=30).json()["data"]


def seen(target):
    """What there is of the only dataset: its titles, its quality, whether it is private."""
    (dataset,) = datasets(target)
    return httpx.get(f"{target.url}/-/dataset/{dataset['id']}", timeout=30).json()


class Breaking(httpx.AsyncHTTPTransport):
    """A network that carries `left` requests; the one after them arrives too, but its answer never does."""

    def __init__(self, left, *, answer=None):
        super().__init__()
        self.left, self.answer = left, answer

    async def handle_async_request(self, request):
        self.left -= 1
        if self.left < 0 and self.answer:
            return httpx.Response(self.answer, request=request, text="out of order")
        response = await super().handle_async_request(request)
        if self.left < 0:
            await response.aread()
            raise httpx.ReadError("the process has died", request=request)
        return response


async def test_the_portal_takes_it_all_and_a_second_run_changes_nothing(target, editions):
    done = await pushed(target, editions[:1])
    assert done[0] == "created the dataset"
    assert "linked cahier-esante-2026-10-v1.parquet" in done
    before = seen(target)
    assert before["score"] == 1.0, before["quality"]
    assert before["private"] is False
    assert len(before["titles"]) == len(editions[0].files)
    assert await pushed(target, editions[:1]) == []
    assert seen(target) == before


async def test_what_the_portal_hands_out_are_our_bytes(target, editions):
    await pushed(target, editions[:1])
    (dataset,) = datasets(target)
    full = httpx.get(f"{target.url}/api/1/datasets/{dataset['id']}/", timeout=30).json()
    ours = {file.path.name: file for file in editions[0].files}
    stored = {one["extras"]["esante_file"]: one for one in full["resources"]}
    assert stored.keys() == ours.keys()
    for name, resource in stored.items():
        if resource["filetype"] == "file":
            assert resource["filesize"] == ours[name].path.stat().st_size
        else:
            assert resource["url"] == f"{BASE}/bulletin/files/{name}"


async def test_a_new_version_is_a_new_resource_beside_the_old_one(target, editions):
    await pushed(target, editions[:1])
    assert await pushed(target, editions) == [
        "uploaded cahier-esante-2026-10-v2.csv",
        "described cahier-esante-2026-10-v2.csv",
    ]
    titles = seen(target)["titles"]
    assert sum("CSV (v1)" in title for title in titles) == sum("CSV (v2)" in title for title in titles) == 1


async def test_broken_off_at_any_request_it_ends_right_on_the_next_run(udata, editions):
    few = [replace(editions[0], files=editions[0].files[:2])]
    for left in range(100):
        organization = httpx.post(f"{udata['url']}/-/organization", timeout=30).json()["id"]
        target = PortalTarget(udata["url"], udata["key"], organization)
        try:
            await pushed(target, few, transport=Breaking(left))
        except PortalError:
            if datasets(target):
                assert seen(target)["private"] or len(seen(target)["titles"]) == 2
            await pushed(target, few)
            assert len(seen(target)["titles"]) == 2
            assert seen(target)["score"] == 1.0
            assert await pushed(target, few) == []
        else:
            break
    assert left > 6


@pytest.mark.parametrize("left", [0, 2, 5])
async def test_a_portal_out_of_order_is_told_and_nothing_half_is_public(target, editions, left):
    with pytest.raises(PortalError, match="500"):
        await pushed(target, editions[:1], transport=Breaking(left, answer=500))
    assert all(dataset["private"] for dataset in datasets(target))
    await pushed(target, editions[:1])
    assert seen(target)["score"] == 1.0


async def test_a_file_that_arrived_damaged_is_replaced(target, editions):
    await pushed(target, editions[:1])
    file = editions[0].files[0]
    whole = file.path.read_bytes()
    try:
        file.path.write_bytes(whole[:-10])
        other = PortalTarget(target.url, target.key, target.organization)
        assert f"uploaded {file.path.name}" in await pushed(other, editions[:1])
    finally:
        file.path.write_bytes(whole)
    assert await pushed(target, editions[:1]) == [f"uploaded {file.path.name}", f"described {file.path.name}"]


async def test_its_harvester_takes_our_catalogue(udata, editions):
    class Feed(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = encode_turtle(catalogue(editions, base))
            self.send_response(200)
            self.send_header("Content-Type", "text/turtle")
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Feed)
    base = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"{udata['url']}/-/harvest"
        report = httpx.get(url, params={"url": f"{base}/bulletin/catalog.ttl"}, timeout=120).json()
    finally:
        server.shutdown()
    assert report["status"] == "done", report["errors"]
    (found,) = report["datasets"]
    assert (found["license"], found["frequency"]) == ("cc-by", "monthly")
    assert found["temporal"] == ["2026-10-01", "2026-10-31"]
    assert {form for _, form, _ in found["resources"]} >= {"csv", "pdf", "parquet"}
    assert len(found["resources"]) == sum(len(edition.files) for edition in editions)


async def test_the_platform_pushes_what_is_released_and_nothing_before_its_hour(target, fresh, tmp_path):
    await with_past(fresh, 1, size=0.1)
    bulletin = bulletin_over(fresh, tmp_path)
    pusher, beside = (PortalPublisher(fresh.db, target, BASE, tmp_path / "files") for _ in range(2))
    await bulletin.build(LAST, "anna")
    await bulletin.preview(LAST, "anna")
    for found in await bulletin.fetch_anomalies(LAST):
        await bulletin.acknowledge(found.period, found.code, found.subject, "anna", "seen")
    hour = NOW + timedelta(hours=1)
    await bulletin.release(LAST, "ben", embargo_until=hour, now=NOW)
    assert await pusher.push() == []
    assert datasets(target) == []
    out_of_order = PortalTarget("http://127.0.0.1:9", target.key, target.organization)
    await bulletin.release_due(hour)
    with pytest.raises(PortalError, match="cannot be reached"):
        await PortalPublisher(fresh.db, out_of_order, BASE, tmp_path / "files").push()
    done = await asyncio.gather(pusher.push(), beside.push())
    assert sorted(map(bool, done)) == [False, True]  # one process at a time
    assert seen(target)["score"] == 1.0
    assert any(LAST in one["title"] or f"-{LAST}-" in str(one["extras"]) for one in resources(target))
    assert await pusher.push() == []


def resources(target):
    """The resources of the only dataset."""
    (dataset,) = datasets(target)
    return httpx.get(f"{target.url}/api/1/datasets/{dataset['id']}/", timeout=30).json()["resources"]
