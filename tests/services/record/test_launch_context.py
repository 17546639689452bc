"""SMART launch context: software launched for one patient cannot reach other patients of the professional."""

import re
from dataclasses import replace
from types import SimpleNamespace

import orjson
import pytest

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.services.record import Refused
from tests.support.record import FHIR, LOCAL, letter, reference

_KEYS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")


@pytest.fixture
async def two_patients(world):
    """Two patients of one doctor, each with a letter from the hospital."""
    persons = []
    for _ in range(2):
        person = await world.person()
        await world.into_circle(person, world.people["doctor_entry"])
        content, meta = letter()
        deposited = await world.record.deposit(world.people["hospital"], person.id, content, meta)
        persons.append((person, deposited.document))
    return persons


async def _normalised_answers(client, person_id, document_id, identifier):
    """Return all answers that a client gets about a person, without keys."""
    key = person_id.hex + document_id.hex
    of = {"patient": f"Patient/{person_id}"}
    by = {"patient.identifier": f"{LOCAL}|{identifier}"}
    known = SimpleNamespace(id=person_id)
    body = orjson.dumps(reference(known, b"A letter.", "text/plain", type_="51852-2"))
    named = orjson.dumps(orjson.loads(body) | {"subject": {"identifier": {"system": LOCAL, "value": identifier}}})
    withdrawal = orjson.dumps(orjson.loads(body) | {"id": key, "status": "entered-in-error", "description": "no"})
    responses = [
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
        await client.put(f"/fhir/DocumentReference/{key}", content=withdrawal, headers=FHIR),
    ]
    return [(answer.status_code, _KEYS.sub("<key>", answer.text).replace(identifier, "<id>")) for answer in responses]


async def test_other_patients_look_absent_to_launched_app(world, two_patients):
    (anna, _), (bea, letter_of_bea) = two_patients
    launched = replace(world.people["doctor"], patient=anna.id)
    async with world.client(launched, "patient/*.cruds") as client:
        own = await client.get("/fhir/DocumentReference", params={"patient": f"Patient/{anna.id}"})
        assert len(own.json()["entry"]) == 1
        of_other = await _normalised_answers(client, bea.id, letter_of_bea.id, bea.identifiers[0].value)
        of_unknown = await _normalised_answers(client, uuid7(), uuid7(), uuid7().hex)
    assert of_other == of_unknown
    refusals = [event for _, event in await world.events(bea, Refused)]
    assert {event.rule for event in refusals} >= {"launch.other"}


async def test_other_patients_look_absent_to_patient_app(world, two_patients):
    (anna, _), (bea, letter_of_bea) = two_patients
    async with world.client(requester_of(anna), "patient/*.cruds user/*.cruds") as client:
        of_other = await _normalised_answers(client, bea.id, letter_of_bea.id, bea.identifiers[0].value)
        of_unknown = await _normalised_answers(client, uuid7(), uuid7(), uuid7().hex)
    assert of_other == of_unknown


async def test_user_scope_reaches_other_patients_only_if_it_covers_the_whole_request(world, two_patients):
    (anna, _), (bea, _letter_of_bea) = two_patients
    launched = replace(world.people["doctor"], patient=anna.id)
    of_bea = {"patient": f"Patient/{bea.id}"}
    for scopes, count in (
        ("patient/*.rs user/DocumentReference.rs", 1),
        ("patient/*.rs user/DocumentReference.r", 0),
        ("patient/*.rs user/Binary.rs", 0),
    ):
        async with world.client(launched, scopes) as client:
            page = (await client.get("/fhir/DocumentReference", params=of_bea)).json()
            assert len(page.get("entry", [])) == count


async def test_scope_with_query_does_not_count_as_unrestricted(world, two_patients):
    (anna, document), _ = two_patients
    async with world.client(
        replace(world.people["doctor"], patient=anna.id), "patient/DocumentReference.rs?type=x"
    ) as c:
        assert (await c.get("/fhir/DocumentReference", params={"patient": str(anna.id)})).status_code == 403
        assert (await c.get(f"/fhir/DocumentReference/{document.key}")).status_code == 403
