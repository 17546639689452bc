"""The patient of a transaction, and references to the directory."""

import orjson

from esante.core.storage import uuid7
from esante.identity.directory import Identifier
from tests.support.clinical_requests import (
    post_bundle,
    response_statuses,
)
from tests.support.clinical_resources import (
    bundle_entry,
    observation,
)
from tests.support.record import FHIR


async def test_bundle_of_two_persons_is_refused(world):
    person, other = await world.person(), await world.person()
    async with world.client(world.people["hospital"]) as client:
        answer = await post_bundle(
            client,
            bundle_entry("POST", "Observation", observation(person)),
            bundle_entry("POST", "Observation", observation(other)),
        )
        assert answer.status_code == 422
        strange = (await client.post("/fhir/Observation", content=observation(other), headers=FHIR)).json()["id"]
        answer = await post_bundle(
            client,
            bundle_entry("POST", "Observation", observation(person)),
            bundle_entry("DELETE", f"Observation/{strange}"),
        )
        assert answer.status_code == 422
        of_unknown = orjson.loads(observation(person)) | {"subject": {"reference": uuid7().urn}}
        assert (await post_bundle(client, bundle_entry("POST", "Observation", of_unknown))).status_code == 422
        assert (
            await post_bundle(client, bundle_entry("POST", "Medication", {"resourceType": "Medication"}))
        ).status_code == 422


async def test_known_practitioner_is_referenced_in_the_directory(world):
    person, patient, doctor, clinic = await world.person(), uuid7().urn, uuid7().urn, uuid7().urn
    known = world.people["doctor_entry"]
    note = orjson.loads(observation(person)) | {
        "subject": {"reference": patient},
        "performer": [{"reference": doctor}, {"reference": clinic}],
    }
    as_patient = {"resourceType": "Patient", "identifier": [_identifier(person.identifiers[0])]}
    as_doctor = {"resourceType": "Practitioner", "identifier": [_identifier(known.identifiers[0])]}
    as_clinic = {"resourceType": "Organization", "name": "Elsewhere"}
    async with world.client(world.people["hospital"]) as client:
        answer = await post_bundle(
            client,
            bundle_entry("POST", "Organization", as_clinic, clinic),
            bundle_entry("POST", "Practitioner", as_doctor, doctor),
            bundle_entry("POST", "Patient", as_patient, patient),
            bundle_entry("POST", "Observation", note),
        )
        assert response_statuses(answer) == ["201", "200", "200", "201"]
        url = f"/fhir/Observation?patient={person.id}&_include=Observation:performer&_include=Observation:subject"
        shown = [part["resource"] for part in (await client.get(url)).json()["entry"]]
        assert shown[0]["performer"][0] == {"reference": f"Practitioner/{known.id}"}
        assert {one["resourceType"] for one in shown} == {"Observation", "Practitioner", "Organization", "Patient"}
        assert [one["name"] for one in shown if one["resourceType"] == "Organization"] == ["Elsewhere"]


def _identifier(identifier: Identifier) -> dict:
    return {"system": identifier.system, "value": identifier.value}
