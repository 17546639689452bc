"""Who may write which clinical resources, and what is refused."""

import base64

import orjson
import pytest

from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.services.record.clinical.events import ClinicalCreated, ClinicalRead, ClinicalRefused, ClinicalUpdated
from tests.support.clinical_requests import (
    PATCH,
    create,
    post_bundle,
)
from tests.support.clinical_resources import (
    CONFIDENTIALITY_SYSTEM,
    bundle_entry,
    identified,
    observation,
)
from tests.support.record import FHIR


async def test_only_the_author_may_change_a_resource(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        created = (await create(hospital, observation(person))).json()
    url = f"/fhir/Observation/{created['id']}"
    changed = observation(person, value="1", id=created["id"])
    for who, status in (("doctor", 403), ("other", 404), ("surgeon", 200)):
        async with world.client(world.people[who]) as client:
            assert (await client.put(url, content=changed, headers=FHIR)).status_code == status
            if status != 200:
                assert (await client.delete(url)).status_code == status
    async with world.client(requester_of(person)) as patient_client:
        assert (await patient_client.get(url)).status_code == 200
        assert (await patient_client.delete(url)).status_code == 403


@pytest.mark.parametrize("body", [b"", b"{", b'{"resourceType":"Observation"', b"\xff", b"<Observation/>"])
async def test_body_without_json_is_answered_400(world, body):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        url = f"/fhir/Observation/{(await create(client, observation(person))).json()['id']}"
        for answer in (
            await client.post("/fhir/Observation", content=body, headers=FHIR),
            await client.put(url, content=body, headers=FHIR),
            await client.post("/fhir", content=body, headers=FHIR),
        ):
            assert answer.status_code == 400, answer.text
            assert answer.json()["issue"][0]["severity"] == "fatal"


@pytest.mark.parametrize(
    ("edit", "status", "place"),
    [
        (lambda other: {"subject": {"reference": f"Patient/{uuid7()}"}}, 403, None),
        (lambda other: {"subject": {"reference": "Patient/nobody"}}, 422, "Observation.subject"),
        (lambda other: {"subject": None}, 422, "Observation.subject"),
        (lambda other: {"focus": [{"reference": f"Patient/{other.id}"}]}, 422, "Observation"),
        (lambda other: {"encounter": {"reference": f"Encounter/{other.id.hex}{uuid7().hex}"}}, 422, "Observation"),
        (lambda other: {"encounter": {"reference": "Encounter/17"}}, 422, "Observation"),
        (lambda other: {"encounter": {"reference": "Encounter?identifier=1"}}, 422, "Observation"),
        (lambda other: {"status": "maybe"}, 422, "Observation.status"),
        (
            lambda other: {"meta": {"security": [{"system": CONFIDENTIALITY_SYSTEM, "code": "V"}]}},
            422,
            "Observation.meta.security",
        ),
        (
            lambda other: {"meta": {"security": [{"system": CONFIDENTIALITY_SYSTEM, "code": "X"}]}},
            422,
            "Observation.meta.security",
        ),
    ],
)
async def test_invalid_create_is_refused_with_place(world, edit, status, place):
    person, other = await world.person(), await world.person()
    body = orjson.loads(observation(person)) | edit(other)
    body = {name: value for name, value in body.items() if value is not None}
    async with world.client(world.people["hospital"]) as client:
        answer = await create(client, orjson.dumps(body))
        assert answer.status_code == status, answer.text
        issue = answer.json()["issue"][0]
        assert issue.get("expression", [None]) == [place]
        assert "entry" not in (await client.get("/fhir/Observation", params={"patient": str(person.id)})).json()


async def test_subject_by_identifier_is_resolved(world):
    person = await world.person()
    identifier = person.identifiers[0]
    subject = {"identifier": {"system": identifier.system, "value": identifier.value}}
    async with world.client(world.people["hospital"]) as client:
        created = (await create(client, observation(person, subject=subject))).json()
        assert created["subject"] == subject | {"reference": f"Patient/{person.id}"}
        wrong = subject | {"reference": f"Patient/{uuid7()}"}
        assert (await create(client, observation(person, subject=wrong))).status_code == 422


async def test_resource_written_by_patient_is_a_patient_note(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(requester_of(person)) as patient_client:
        created = await create(patient_client, observation(person))
        assert created.status_code == 201
        implied = orjson.loads(observation(person))
        del implied["subject"]
        assert (await create(patient_client, orjson.dumps(implied))).json()["subject"] == {
            "reference": f"Patient/{person.id}"
        }
        request = {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "subject": {"reference": f"Patient/{person.id}"},
            "medicationCodeableConcept": {"text": "morphine"},
        }
        assert (await create(patient_client, orjson.dumps(request), "MedicationRequest")).status_code == 403
        other = await world.person()
        assert (await create(patient_client, observation(other))).status_code in (403, 404)
    [(_, first), _] = await world.events(person, ClinicalCreated)
    assert (first.categories, first.rule) == (("patient_note",), "patient.write")
    async with world.client(world.people["doctor"]) as doctor:
        assert (await doctor.get(f"/fhir/Observation/{created.json()['id']}")).status_code == 200


async def test_refused_write_is_journalled(world):
    person, closed = await world.person(), await world.person(opened=False)
    async with world.client(world.people["laboratory"]) as laboratory:
        prescription = {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "subject": {"reference": f"Patient/{person.id}"},
            "medicationCodeableConcept": {"text": "morphine"},
        }
        refused = await create(laboratory, orjson.dumps(prescription), "MedicationRequest")
        assert (refused.status_code, refused.json()["issue"][0]["code"]) == (403, "forbidden")
        assert (await create(laboratory, observation(closed))).status_code == 403
    [(_, event)] = await world.events(person, ClinicalRefused)
    assert (event.action, event.type, event.categories, event.rule) == (
        "create",
        "MedicationRequest",
        ("prescription",),
        "write.category",
    )


@pytest.mark.parametrize("part", ["_summary=true", "_summary=text", "_summary=data", "_elements=status,code,subject"])
async def test_part_of_a_resource_is_refused_by_every_write(world, part):
    person = await world.person()
    whole = orjson.loads(observation(person, **identified("S1"), note=[{"text": "keep me"}]))
    async with world.client(world.people["hospital"]) as client:
        created = (await create(client, orjson.dumps(whole))).json()
        url, search = f"/fhir/Observation/{created['id']}", f"Observation?patient={person.id}&identifier=urn:lab|S1"
        shown = (await client.get(f"/fhir/{search}&{part}")).json()["entry"][0]["resource"]
        assert shown["meta"]["tag"][-1]["code"] == "SUBSETTED"
        without_id = {name: value for name, value in shown.items() if name != "id"}
        tag = [{"op": "add", "path": "/meta/tag", "value": shown["meta"]["tag"]}]
        answers = [
            await client.put(url, content=orjson.dumps(shown), headers=FHIR | {"If-Match": 'W/"1"'}),
            await client.put(f"/fhir/{search}", content=orjson.dumps(without_id), headers=FHIR),
            await create(client, orjson.dumps(without_id)),
            await client.patch(url, content=orjson.dumps(tag), headers=PATCH),
            await post_bundle(client, bundle_entry("PUT", url.removeprefix("/fhir/"), shown)),
            await post_bundle(client, bundle_entry("POST", "Observation", without_id)),
        ]
        # Without "subject", which is no mandatory element, the patient is missing as well.
        assert [answer.status_code for answer in answers] == [422] * len(answers)
        assert (await client.get(url)).json() == created


@pytest.mark.parametrize("fields", [{}, {"id": "other"}, {"id": "0" * 64}])
async def test_update_without_the_id_of_the_address_is_refused(world, fields):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        created = (await create(client, observation(person))).json()
        url, body = f"/fhir/Observation/{created['id']}", observation(person, **fields)
        assert (await client.put(url, content=body, headers=FHIR)).status_code == 400
        if fields:
            entry = bundle_entry("PUT", f"Observation/{created['id']}", orjson.loads(body))
            assert (await post_bundle(client, entry)).status_code == 400


@pytest.mark.parametrize(
    "patch",
    [
        [],
        [{"op": "test", "path": "/status", "value": "final"}],
        [{"op": "add", "path": "/note", "value": [{"text": "x"}]}, {"op": "remove", "path": "/note"}],
    ],
)
async def test_patch_that_changes_nothing_makes_no_version(world, patch):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        created = (await create(client, observation(person))).json()
        url = f"/fhir/Observation/{created['id']}"
        answer = await client.patch(url, content=orjson.dumps(patch), headers=PATCH)
        assert (answer.status_code, answer.headers["etag"], answer.json()) == (200, 'W/"1"', created)
        late = await client.patch(url, content=orjson.dumps(patch), headers=PATCH | {"If-Match": 'W/"2"'})
        assert late.status_code == 412
        data = base64.b64encode(orjson.dumps(patch)).decode()
        binary = {"resourceType": "Binary", "contentType": PATCH["Content-Type"], "data": data}
        answer = await post_bundle(client, bundle_entry("PATCH", f"Observation/{created['id']}", binary))
        assert answer.json()["entry"][0]["response"]["etag"] == 'W/"1"'
        assert (await client.get(f"{url}/_history")).json()["entry"][0]["resource"] == created
    assert await world.events(person, ClinicalUpdated) == []
    assert len(await world.events(person, ClinicalRead)) == 2
