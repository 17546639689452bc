"""Encounters: hospital stays and other encounters under one path."""

import orjson
import pytest

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from tests.support.clinical_requests import (
    deposit,
    post_bundle,
    search,
    search_bundle,
)
from tests.support.clinical_resources import (
    bundle_entry,
    encounter,
)
from tests.support.record import FHIR

IMP = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}


def admission(person, **fields) -> dict:
    period = {"start": "2024-03-01T08:00:00Z"}
    return encounter(person) | {"status": "in-progress", "class": IMP, "period": period} | fields


async def create_encounter(client, resource: dict):
    return await client.post("/fhir/Encounter", content=orjson.dumps(resource), headers=FHIR)


@pytest.fixture
async def person(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    return person


async def test_admission_is_a_stay_and_other_encounters_are_resources(world, person):
    async with world.client(world.people["hospital"]) as hospital:
        stay = await create_encounter(hospital, admission(person))
        assert stay.status_code == 201
        assert (await create_encounter(hospital, admission(person))).status_code == 200
        visit = await create_encounter(hospital, encounter(person))
        assert (visit.status_code, visit.headers["etag"]) == (201, 'W/"1"')
        stay, visit = stay.json(), visit.json()
        both = await search_bundle(hospital, f"Encounter?patient={person.id}")
        assert ([one["resource"] for one in both["entry"]], both["total"]) == ([stay, visit], 2)
        assert await search(hospital, f"Encounter?patient={person.id}&status=in-progress") == [stay]
        assert await search(hospital, f"Encounter?patient={person.id}&class=AMB") == [visit]
        for one in (stay, visit):
            assert (await hospital.get(f"/fhir/Encounter/{one['id']}")).json() == one
        over = stay | {"status": "finished", "period": stay["period"] | {"end": "2024-03-05T08:00:00Z"}}
        ended = await hospital.put(f"/fhir/Encounter/{stay['id']}", content=orjson.dumps(over), headers=FHIR)
        assert (ended.status_code, ended.json()["status"]) == (200, "finished")
        changed = visit | {"status": "cancelled"}
        answer = await hospital.put(f"/fhir/Encounter/{visit['id']}", content=orjson.dumps(changed), headers=FHIR)
        assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    async with world.client(world.people["doctor"]) as doctor:
        assert [one["id"] for one in await search(doctor, f"Encounter?patient={person.id}")] == [visit["id"]]
        assert (await doctor.get(f"/fhir/Encounter/{stay['id']}")).status_code == 404
        own = await create_encounter(doctor, admission(person))
        assert (own.status_code, own.headers["etag"]) == (201, 'W/"1"')


async def test_stay_of_another_hospital_looks_absent(world, person):
    other = requester_of(await world.organization("hospital", "Hôpital du Sud"))
    async with world.client(other) as client:
        stay = (await create_encounter(client, admission(person))).json()
    async with world.client(world.people["hospital"]) as hospital:
        answers = []
        for id_ in (stay["id"], person.id.hex + uuid7().hex):
            over = admission(person, id=id_, status="finished")
            answers.append(
                [
                    (answer.status_code, answer.content)
                    for answer in (
                        await hospital.get(f"/fhir/Encounter/{id_}"),
                        await hospital.put(f"/fhir/Encounter/{id_}", content=orjson.dumps(over), headers=FHIR),
                        await hospital.delete(f"/fhir/Encounter/{id_}"),
                    )
                ]
            )
        assert answers[0] == answers[1]
        assert [status for status, _ in answers[0]] == [404, 404, 404]
        assert await search(hospital, f"Encounter?patient={person.id}") == []


async def test_encounters_of_documents_and_transactions_are_found(world, shared_data):
    bundle = orjson.loads(sorted((shared_data / "eu-documents" / "hdr").glob("*.json"))[0].read_bytes())
    person = await world.person_in(bundle)
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, bundle)
        answer = await post_bundle(hospital, bundle_entry("POST", "Encounter", admission(person, status="finished")))
        assert answer.json()["entry"][0]["response"]["status"] == "201"
    async with world.client(world.people["doctor"]) as doctor:
        assert len(await search(doctor, f"Encounter?patient={person.id}")) == 2
