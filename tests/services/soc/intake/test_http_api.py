"""Events over HTTPS: formats, answers, and what is refused."""

import asyncio
import gzip
import io
import ssl
import zipfile
import zlib

import httpx
import orjson
import pytest

from esante.services.soc.intake import bodies, http_api, pipeline
from tests.support.certificates import self_signed
from tests.support.soc_intake import SHADOW_EVENT, line

AUDIT_EVENT = {
    "resourceType": "AuditEvent",
    "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110110", "display": "Patient Record"},
    "action": "R",
    "recorded": "2026-05-04T12:00:00Z",
    "outcome": "0",
    "agent": [{"who": {"reference": "Practitioner/7"}, "name": "Dr Eve", "requestor": True}],
    "source": {"observer": {"display": "pacs"}},
    "entity": [{"what": {"reference": "Patient/1"}}],
}


@pytest.fixture
async def feed(world, running):
    feed = await world.feed()
    await running.intake.keys.refresh()
    return feed


@pytest.fixture
async def client(running, feed):
    async with httpx.AsyncClient(
        base_url=f"https://localhost:{running.https}",
        verify=ssl.create_default_context(cafile=str(running.folder / "server.pem")),
        headers={"Authorization": f"Bearer {feed.secret}"},
        timeout=30,
    ) as client:
        yield client


def _zip(name, content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("body", "headers", "count"),
    [
        (orjson.dumps(SHADOW_EVENT), {}, 1),
        (orjson.dumps([SHADOW_EVENT, {"a": 1}]), {}, 2),
        (orjson.dumps({"Records": [SHADOW_EVENT, SHADOW_EVENT]}), {}, 2),
        (orjson.dumps(SHADOW_EVENT) + b"\n" + orjson.dumps({"a": 1}) + b"\n", {}, 2),
        (line("one") + b"\n" + line("two"), {}, 2),
        (gzip.compress(orjson.dumps(SHADOW_EVENT), mtime=0), {"Content-Encoding": "gzip"}, 1),
        (zlib.compress(orjson.dumps(SHADOW_EVENT)), {"Content-Encoding": "deflate"}, 1),
        (_zip("events.json", orjson.dumps([SHADOW_EVENT] * 3)), {}, 3),
        (orjson.dumps({"resourceType": "Bundle", "type": "batch", "entry": [{"resource": AUDIT_EVENT}]}), {}, 1),
    ],
)
async def test_answer_comes_when_all_events_are_stored(world, client, feed, body, headers, count):
    response = await client.post("/api/events", content=body, headers=headers)
    assert (response.status_code, response.json()) == (200, {"stored": count, "unreadable": 0})
    assert len(await world.stored(feed)) == count


async def test_what_cannot_be_read_is_stored_with_its_reason_and_counted(world, client, feed, running):
    body = b'{"a": 1}\n{"broken\n\xff\xfe\n{"class_uid": 1, "metadata": {}}\n'
    response = await client.post("/api/events", content=body)
    assert response.json() == {"stored": 4, "unreadable": 3}
    faults = await world.stored(feed, faults=True)
    assert [one.fault.partition(" (")[0] for one in faults] == [
        "the event is not valid JSON",
        "the event is not UTF-8; send it in UTF-8",
        "the OCSF event has no number as activity_id; send activity_id as the schema has it",
    ]
    assert faults[0].event["raw_data"] == '{"broken'
    assert faults[1].event["unmapped"]["original_base64"] == "//4="
    await running.intake.pipeline.drain()
    (source,) = await world.sources.all(world.anna, feed.tenant_id)
    assert (source.events, source.faults) == (4, 3)
    assert source.last_event_at is not None


async def test_evtx_is_stored_by_record(world, client, feed, shared_data):
    path = sorted((shared_data / "sigma" / "evtx").glob("*.evtx"))[0]
    response = await client.post("/api/events", content=path.read_bytes())
    assert response.status_code == 200, response.text
    stored = await world.stored(feed)
    assert len(stored) == response.json()["stored"] > 0
    assert {"EventID"} <= orjson.loads(stored[0].event["raw_data"])["Event"]["System"].keys()


async def test_audit_event_and_bundle_of_them_are_answered_as_fhir(world, client, feed):
    response = await client.post("/fhir/AuditEvent", json=AUDIT_EVENT)
    assert response.status_code == 201
    assert response.headers["Location"].startswith("AuditEvent/")
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": AUDIT_EVENT}] * 2}
    response = await client.post("/fhir", json=bundle)
    assert response.json()["type"] == "batch-response"
    assert [one["response"]["status"] for one in response.json()["entry"]] == ["201", "201"]
    stored = await world.stored(feed)
    assert [one.user for one in stored] == ["dr eve"] * 3
    assert len({one.key for one in stored}) == 1


async def test_audit_event_that_is_none_is_refused_as_outcome(client):
    response = await client.post("/fhir/AuditEvent", json={"resourceType": "AuditEvent"})
    assert response.status_code == 400
    assert response.json()["resourceType"] == "OperationOutcome"
    response = await client.post("/fhir", json={"resourceType": "Patient"})
    assert response.status_code == 400


@pytest.mark.parametrize("authorization", ["", "Bearer x", f"Bearer {'x' * 43}", "Basic abc"])
async def test_request_without_a_working_key_is_refused_and_stores_nothing(world, client, feed, authorization):
    response = await client.post("/api/events", content=b"{}", headers={"Authorization": authorization})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert not await world.stored(feed)


async def test_client_certificate_is_a_key(world, running, feed, tmp_path):
    (tmp_path / "client").mkdir()
    mine = self_signed(tmp_path / "client", "client")
    await world.sources.register_certificate(world.anna, feed.tenant_id, feed.source.source_id, mine[0].read_bytes())
    await running.intake.keys.refresh()
    context = ssl.create_default_context(cafile=str(running.folder / "server.pem"))
    context.load_cert_chain(*mine)
    async with httpx.AsyncClient(verify=context) as client:
        response = await client.post(f"https://localhost:{running.https}/api/events", content=b'{"a": 1}')
    assert response.status_code == 200


async def test_revoked_key_is_refused_on_an_open_connection(world, client, feed, running):
    assert (await client.post("/api/events", content=b'{"a": 1}')).status_code == 200
    await world.sources.revoke(world.anna, feed.tenant_id, feed.key_id)
    await running.intake.keys.refresh()
    assert (await client.post("/api/events", content=b'{"a": 1}')).status_code == 401


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"x" * (bodies.MAX_BODY + 1), {}, 413),
        (gzip.compress(b"0" * (bodies.MAX_UNPACKED + 1), mtime=0), {"Content-Encoding": "gzip"}, 413),
        (gzip.compress(b"0" * 1000, mtime=0)[:-9], {"Content-Encoding": "gzip"}, 400),
        (b"no gzip", {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0) + b"rest", {"Content-Encoding": "gzip"}, 400),
        (b"{}", {"Content-Encoding": "br"}, 415),
        (b"{}\n" * (bodies.MAX_EVENTS + 1), {}, 413),
        (_zip("bomb.json", b'{"a": 1}\n' * (bodies.MAX_EVENTS + 1)), {}, 413),
        (_zip("bomb.json", b"\0" * (80 << 20)), {}, 400),
        (b"ElfFile\0" + b"\xff" * 100_000, {}, 400),
        (b"PK\x03\x04" + b"\xff" * 1_000, {}, 400),
    ],
)
async def test_bad_body_is_refused_and_stores_nothing(world, client, feed, body, headers, status):
    response = await client.post("/api/events", content=body, headers=headers)
    assert response.status_code == status
    assert response.json()["error_description"]
    assert not await world.stored(feed)


async def test_member_over_its_quota_gets_429_with_the_time_to_wait_and_others_go_on(world, client, running):
    slow = await world.feed(quota=10)
    await running.intake.keys.refresh()
    headers = {"Authorization": f"Bearer {slow.secret}"}
    body = b"\n".join(b'{"a": %d}' % number for number in range(200))
    first = asyncio.create_task(client.post("/api/events", content=body, headers=headers))
    await asyncio.sleep(0.5)
    refused = await client.post("/api/events", content=b'{"a": 1}', headers=headers)
    assert refused.status_code == 429
    assert 5 < int(refused.headers["Retry-After"]) <= 25
    assert (await client.post("/api/events", content=b'{"a": 1}')).status_code == 200
    first.cancel()


async def test_too_many_requests_of_a_member_at_once_get_429(world, client, feed, monkeypatch):
    monkeypatch.setattr(http_api, "MAX_UNSTORED", 1)
    answers = await asyncio.gather(*(client.post("/api/events", content=b'{"a": 1}' * 50_000) for _ in range(6)))
    assert {one.status_code for one in answers} <= {200, 429}
    assert any(one.status_code == 429 for one in answers)


async def test_full_intake_answers_503_with_the_time_to_wait(world, client, feed, monkeypatch):
    monkeypatch.setattr(pipeline, "TOTAL_BYTES", 0)
    response = await client.post("/api/events", content=b'{"a": 1}')
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert not await world.stored(feed)


async def test_keys_that_cannot_be_read_for_long_give_503_and_no_refusal(client, monkeypatch):
    monkeypatch.setattr("esante.services.soc.sources.valid_keys.STALE_SECONDS", 0)
    response = await client.post("/api/events", content=b'{"a": 1}')
    assert response.status_code == 503
    assert response.headers["Retry-After"]


async def test_what_could_not_be_stored_in_time_is_withdrawn(world, client, running, monkeypatch):
    monkeypatch.setattr(http_api, "STORED_SECONDS", 1.0)
    slow = await world.feed(quota=1)
    await running.intake.keys.refresh()
    body = b"\n".join(b'{"a": %d}' % number for number in range(5_000))
    response = await client.post("/api/events", content=body, headers={"Authorization": f"Bearer {slow.secret}"})
    assert response.status_code == 503
    assert running.intake.pipeline.seconds_to_wait(slow.tenant_id, 1) < 5
    assert len(await world.stored(slow)) < 10
