"""Software that was opened for one patient: whoever else the professional may see is not there for it."""

import re
from dataclasses import replace
from types import SimpleNamespace

import orjson
import pytest

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.services.record import Refused

from .conftest import FHIR, LOCAL, letter, reference

_KEYS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")


@pytest.fixture
async def seen(world):
    """Two patients of one doctor, each with a letter from the hospital."""
    persons = []
    for _ in range(2):
        person = await world.person()
        await world.into_circle(person, world.people["doctor_entry"])
        content, meta = letter()
        made = await world.record.deposit(world.people["hospital"], person.id, content, meta)
        persons.append((person, made.document))
    return persons


async def answers(client, person_id, document_id, identifier):
    """Everything that a client is answered about a person, without keys."""
    key = person_id.hex + document_id.hex
    of = {"patient": f"Patient/{person_id}"}
    by = {"patient.identifier": f"{LOCAL}|{identifier}"}
    known = SimpleNamespace(id=person_id)
    body = orjson.dumps(reference(known, b"A letter.", "text/plain", type_="51852-2"))
    named = orjson.dumps(orjson.loads(body) | {"subject": {"identifier": {"system": LOCAL, "value": identifier}}})
    gone = orjson.dumps(orjson.loads(body) | {"id": key, "status": "entered-in-error", "description": "no"})
    found = [
        await client.get("/fhir/DocumentReference", params=of),
        await client.get("/fhir/DocumentReference", params=by),
        await client.get("/fhir/DocumentReference", params={"_id": key}),
        await client.get("/fhir/List", params=of | {"code": "submissionset"}),
        await client.get(f"/fhir/DocumentReference/{key}"),
        await client.get(f"/fhir/Binary/{key}"),
        await client.get(f"/fhir/Bundle/{key}"),
        await client.get(f"/fhir/List/{key}"),
        await client.post("/fhir/DocumentReference", content=body, headers=FHIR),
        await client.post("/fhir/DocumentReference", content=named, headers=FHIR),
        await client.put(f"/fhir/DocumentReference/{key}", content=gone, headers=FHIR),
    ]
    return [(answer.status_code, _KEYS.sub("<key>", answer.text).replace(identifier, "<id>")) for answer in found]


async def test_other_patients_are_as_if_there_were_none(world, seen):
    (anna, _), (bea, letter_of_bea) = seen
    launched = replace(world.people["doctor"], patient=anna.id)
    async with world.client(launched, "patient/*.cruds") as client:
        own = await client.get("/fhir/DocumentReference", params={"patient": f"Patient/{anna.id}"})
        assert len(own.json()["entry"]) == 1
        there = await answers(client, bea.id, letter_of_bea.id, bea.identifiers[0].value)
        nobody = await answers(client, uuid7(), uuid7(), uuid7().hex)
    assert there == nobody
    told = [event for _, event in await world.events(bea, Refused)]
    assert {event.rule for event in told} >= {"launch.other"}


async def test_a_patient_s_own_software_sees_nobody_else_either(world, seen):
    (anna, _), (bea, letter_of_bea) = seen
    async with world.client(requester_of(anna), "patient/*.cruds user/*.cruds") as client:
        there = await answers(client, bea.id, letter_of_bea.id, bea.identifiers[0].value)
        nobody = await answers(client, uuid7(), uuid7(), uuid7().hex)
    assert there == nobody


async def test_scopes_of_the_user_reach_all_his_patients_where_they_do_it_alone(world, seen):
    (anna, _), (bea, _letter_of_bea) = seen
    launched = replace(world.people["doctor"], patient=anna.id)
    of_bea = {"patient": f"Patient/{bea.id}"}
    for scopes, found in (
        ("patient/*.rs user/DocumentReference.rs", 1),
        ("patient/*.rs user/DocumentReference.r", 0),
        ("patient/*.rs user/Binary.rs", 0),
    ):
        async with world.client(launched, scopes) as client:
            page = (await client.get("/fhir/DocumentReference", params=of_bea)).json()
            assert len(page.get("entry", [])) == found


async def test_a_scope_with_a_query_is_not_taken_for_one_without(world, seen):
    (anna, document), _ = seen
    async with world.client(
        replace(world.people["doctor"], patient=anna.id), "patient/DocumentReference.rs?type=x"
    ) as c:
        assert (await c.get("/fhir/DocumentReference", params={"patient": str(anna.id)})).status_code == 403
        assert (await c.get(f"/fhir/DocumentReference/{document.key}")).status_code == 403
