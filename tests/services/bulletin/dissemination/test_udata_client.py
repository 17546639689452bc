"""The push against the real udata 17.18.0 (PyPI), which runs here on an in-memory substitute for MongoDB.

So this verifies the push against udata's own code, not against data.public.lu, and not against a real MongoDB. udata
has an environment of its own, made once in .tools/ (its dependencies are many and pinned); where that cannot be made,
the tests are skipped and say so.
"""

import http.server
import threading
from dataclasses import replace

import httpx
import pytest

from esante.core.open_data import PortalError, PortalTarget, encode_turtle
from esante.services.bulletin.publication.dcat import build_catalogue
from tests.support.bulletin_issue import BASE
from tests.support.udata_portal import FailingTransport, dataset_state, datasets_of, push_to

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


async def test_second_push_changes_nothing(target, editions):
    done = await push_to(target, editions[:1])
    assert done[0] == "created the dataset"
    assert "linked cahier-esante-2026-10-v1.parquet" in done
    before = dataset_state(target)
    assert before["score"] == 1.0, before["quality"]
    assert before["private"] is False
    assert len(before["titles"]) == len(editions[0].files)
    assert await push_to(target, editions[:1]) == []
    assert dataset_state(target) == before


async def test_resources_have_our_bytes(target, editions):
    await push_to(target, editions[:1])
    (dataset,) = datasets_of(target)
    full = httpx.get(f"{target.url}/api/1/datasets/{dataset['id']}/", timeout=30).json()
    ours = {file.path.name: file for file in editions[0].files}
    stored = {one["extras"]["esante_file"]: one for one in full["resources"]}
    assert stored.keys() == ours.keys()
    for name, resource in stored.items():
        if resource["filetype"] == "file":
            assert resource["filesize"] == ours[name].path.stat().st_size
        else:
            assert resource["url"] == f"{BASE}/bulletin/files/{name}"


async def test_new_version_is_added_beside_old_one(target, editions):
    await push_to(target, editions[:1])
    assert await push_to(target, editions) == [
        "uploaded cahier-esante-2026-10-v2.csv",
        "described cahier-esante-2026-10-v2.csv",
    ]
    titles = dataset_state(target)["titles"]
    assert sum("CSV (v1)" in title for title in titles) == sum("CSV (v2)" in title for title in titles) == 1


async def test_interrupted_push_is_completed_by_next_one(udata, editions):
    few = [replace(editions[0], files=editions[0].files[:2])]
    for left in range(100):
        organization = httpx.post(f"{udata['url']}/-/organization", timeout=30).json()["id"]
        target = PortalTarget(udata["url"], udata["key"], organization)
        try:
            await push_to(target, few, transport=FailingTransport(left))
        except PortalError:
            if datasets_of(target):
                assert dataset_state(target)["private"] or len(dataset_state(target)["titles"]) == 2
            await push_to(target, few)
            assert len(dataset_state(target)["titles"]) == 2
            assert dataset_state(target)["score"] == 1.0
            assert await push_to(target, few) == []
        else:
            break
    assert left > 6


@pytest.mark.parametrize("left", [0, 2, 5])
async def test_failing_portal_is_reported_and_dataset_stays_private(target, editions, left):
    with pytest.raises(PortalError, match="500"):
        await push_to(target, editions[:1], transport=FailingTransport(left, status=500))
    assert all(dataset["private"] for dataset in datasets_of(target))
    await push_to(target, editions[:1])
    assert dataset_state(target)["score"] == 1.0


async def test_damaged_file_is_replaced(target, editions):
    await push_to(target, editions[:1])
    file = editions[0].files[0]
    whole = file.path.read_bytes()
    try:
        file.path.write_bytes(whole[:-10])
        other = PortalTarget(target.url, target.key, target.organization)
        assert f"uploaded {file.path.name}" in await push_to(other, editions[:1])
    finally:
        file.path.write_bytes(whole)
    assert await push_to(target, editions[:1]) == [f"uploaded {file.path.name}", f"described {file.path.name}"]


async def test_harvester_takes_our_catalogue(udata, editions):
    class Feed(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = encode_turtle(build_catalogue(editions, base))
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
