"""FHIR interactions on clinical resources over HTTP: create, read, update, patch, delete, history."""

import asyncio

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from tests.support.clinical_requests import (
    PATCH,
    create,
)
from tests.support.clinical_resources import (
    observation,
)
from tests.support.record import BASE, FHIR


async def test_created_resource_can_be_read_and_searched(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        created = await create(hospital, observation(person))
        assert created.status_code == 201, created.text
        resource = created.json()
        assert created.headers["etag"] == 'W/"1"'
        assert created.headers["location"] == f"{BASE}/fhir/Observation/{resource['id']}/_history/1"
        assert resource["meta"]["versionId"] == "1"
        assert b'"value":14.10' in created.content
    async with world.client(world.people["doctor"]) as doctor:
        read = await doctor.get(f"/fhir/Observation/{resource['id']}")
        assert (read.status_code, read.content) == (200, created.content)
        assert read.headers["etag"] == 'W/"1"'
        found = await doctor.get("/fhir/Observation", params={"patient": str(person.id), "code": "718-7"})
        assert found.status_code == 200, found.text
        [entry] = found.json()["entry"]
        assert entry["resource"] == resource
        assert found.json()["total"] == 1
        assert check(found.content).ok, check(found.content).issues


async def test_changes_add_versions_and_keep_the_history(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        first = (await create(client, observation(person))).json()
        url = f"/fhir/Observation/{first['id']}"
        changed = await client.put(url, content=observation(person, value="13.9", id=first["id"]), headers=FHIR)
        assert (changed.status_code, changed.headers["etag"]) == (200, 'W/"2"')
        operations = [{"op": "replace", "path": "/status", "value": "amended"}]
        patched = await client.patch(url, content=orjson.dumps(operations), headers=PATCH)
        assert (patched.status_code, patched.json()["status"]) == (200, "amended")
        assert b'"value":13.9' in patched.content
        deleted = await client.delete(url)
        assert (deleted.status_code, deleted.headers["etag"]) == (204, 'W/"4"')
        assert (await client.delete(url)).status_code == 204
        assert (await client.get(url)).status_code == 410
        assert "entry" not in (await client.get("/fhir/Observation", params={"patient": str(person.id)})).json()
        assert (await client.get(f"{url}/_history/1")).json() == first
        assert (await client.get(f"{url}/_history/4")).status_code == 410
        assert (await client.get(f"{url}/_history/5")).status_code == 404
        for address in (f"{url}/_history", f"/fhir/Observation/_history?patient={person.id}"):
            history = await client.get(address)
            assert check(history.content).ok, check(history.content).issues
            methods = [entry["request"]["method"] for entry in history.json()["entry"]]
            assert methods == ["DELETE", "PUT", "PUT", "POST"]
        back = await client.put(url, content=observation(person, id=first["id"]), headers=FHIR)
        assert (back.status_code, back.headers["etag"]) == (201, 'W/"5"')
        await client.delete(url)
        for address in (f"{url}/_history", f"/fhir/Patient/{person.id}/_history"):
            history = await client.get(address)
            assert check(history.content).ok, check(history.content).issues
            methods = [entry["request"]["method"] for entry in history.json()["entry"]]
            assert methods == ["DELETE", "PUT", "DELETE", "PUT", "PUT", "POST"]


@pytest.mark.parametrize("id_", ["%20", "%22x", "x", "0" * 32, "00000000-0000-7000-8000-000000000000"])
async def test_history_of_unknown_patient_is_empty(world, id_):
    async with world.client(world.people["hospital"]) as client:
        history = await client.get(f"/fhir/Patient/{id_}/_history")
        assert history.status_code == 200
        assert check(history.content).ok, check(history.content).issues
        assert "entry" not in history.json()
        assert history.json()["link"][0]["url"] == f"{BASE}/fhir/Patient/{id_}/_history"


async def test_history_pages_are_stable_while_resources_are_added(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        ids = [(await create(client, observation(person))).json()["id"] for _ in range(5)]
        url, shown = f"/fhir/Observation/_history?patient={person.id}&_count=2", []
        while url:
            page = (await client.get(url)).json()
            shown += [entry["resource"]["id"] for entry in page["entry"]]
            await create(client, observation(person))
            url = {link["relation"]: link["url"] for link in page["link"]}.get("next")
        assert shown == ids[::-1]
        bad = await client.get(f"/fhir/Observation/_history?patient={person.id}&_cursor=bm9uc2Vuc2U")
        assert bad.status_code == 400


async def test_if_match_allows_one_of_concurrent_updates(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        id_ = (await create(client, observation(person))).json()["id"]
        url = f"/fhir/Observation/{id_}"
        answers = await asyncio.gather(
            *(
                client.put(
                    url,
                    content=observation(person, value=f"1{number}", id=id_),
                    headers=FHIR | {"If-Match": 'W/"1"'},
                )
                for number in range(5)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
        history = (await client.get(f"{url}/_history")).json()
        assert len(history["entry"]) == 2
        assert (await client.delete(url, headers={"If-Match": 'W/"1"'})).status_code == 412
        without = await asyncio.gather(
            *(client.put(url, content=observation(person, id=id_), headers=FHIR) for _ in range(5))
        )
        assert [answer.status_code for answer in without] == [200] * 5
        versions = [entry["resource"]["meta"] for entry in (await client.get(f"{url}/_history")).json()["entry"]]
        assert [version["versionId"] for version in versions] == ["7", "6", "5", "4", "3", "2", "1"]
        times = [version["lastUpdated"] for version in versions]
        assert times == sorted(set(times), reverse=True)


async def test_conditional_read_returns_304_for_known_version(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        created = await create(client, observation(person))
        url = f"/fhir/Observation/{created.json()['id']}"
        assert (await client.get(url, headers={"If-None-Match": 'W/"1"'})).status_code == 304
        assert (await client.get(url, headers={"If-None-Match": 'W/"2"'})).status_code == 200
        since = created.headers["last-modified"]
        assert (await client.get(url, headers={"If-Modified-Since": since})).status_code == 304
        assert (
            await client.get(url, headers={"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"})
        ).status_code == 200
        assert (await client.get(url, headers={"If-Modified-Since": "yesterday"})).status_code == 200


@pytest.mark.parametrize(
    ("preference", "type_"),
    [("minimal", None), ("representation", "Observation"), ("OperationOutcome", "OperationOutcome")],
)
async def test_prefer_return_selects_response_body(world, preference, type_):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        created = await create(client, observation(person), Prefer=f"return={preference}")
        assert created.status_code == 201
        assert (created.json()["resourceType"] if created.content else None) == type_


async def test_client_cannot_choose_ids(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        for id_, status in (("my-own", 405), (person.id.hex + uuid7().hex, 404), (uuid7().hex + uuid7().hex, 404)):
            answer = await client.put(f"/fhir/Observation/{id_}", content=observation(person, id=id_), headers=FHIR)
            assert answer.status_code == status
            assert (await client.get(f"/fhir/Observation/{id_}")).status_code == 404
            assert (await client.delete(f"/fhir/Observation/{id_}")).status_code == 404
        created = (await create(client, observation(person, id="chosen"))).json()
        assert created["id"] != "chosen"


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        (b"{", 400),
        (b"{}", 400),
        (b"[1]", 400),
        (b'[{"op":"add"}]', 400),
        (b'[{"op":"jump","path":"/status"}]', 400),
        (b'[{"op":"replace","path":"/no/such","value":1}]', 422),
        (b'[{"op":"test","path":"/status","value":"amended"}]', 422),
        (b'[{"op":"replace","path":"","value":[]}]', 422),
        (b'[{"op":"replace","path":"/id","value":"x"}]', 422),
        (b'[{"op":"replace","path":"/resourceType","value":"Patient"}]', 422),
        (b'[{"op":"remove","path":"/status"}]', 422),
        (b'[{"op":"replace","path":"/subject/reference","value":"Patient/x"}]', 422),
        (b"[" + b'{"op":"test","path":"/status","value":"final"},' * 300 + b'{"op":"remove","path":"/text"}]', 400),
        (
            b'[{"op":"add","path":"/note","value":[{"text":"x"}]}'
            + b',{"op":"copy","from":"/note","path":"/note/-"}' * 60
            + b"]",
            413,
        ),
        (b'[{"op":"replace","path":{"a":1},"value":1}]', 400),
        (b'[{"op":["add"],"path":"/status","value":1}]', 400),
        (b'[{"op":"add","path":"/note/99999999999999999999","value":1}]', 422),
    ],
)
async def test_hostile_patch_is_refused_and_changes_nothing(world, operations, status):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        id_ = (await create(client, observation(person))).json()["id"]
        answer = await client.patch(f"/fhir/Observation/{id_}", content=operations, headers=PATCH)
        assert answer.status_code == status, answer.text
        assert (await client.get(f"/fhir/Observation/{id_}")).headers["etag"] == 'W/"1"'
        assert (await client.patch(f"/fhir/Observation/{id_}", content=operations, headers=FHIR)).status_code == 415
