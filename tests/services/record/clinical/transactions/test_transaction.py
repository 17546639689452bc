"""Transactions: atomicity, references between entries, conditions, order of methods."""

import asyncio
import base64
import gzip

import orjson

from esante.core.storage import uuid7
from esante.identity.directory import Identifier
from tests.support.clinical_requests import (
    count_resources,
    post_bundle,
    response_statuses,
)
from tests.support.clinical_resources import (
    bundle_entry,
    encounter,
    identified,
    observation,
)
from tests.support.record import FHIR


async def test_references_between_entries_are_resolved(world):
    person, visit = await world.person(), uuid7().urn
    medicine, drug = uuid7().urn, {"resourceType": "Medication", "code": {"text": "aspirin"}}
    request = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{person.id}"},
        "medicationReference": {"reference": medicine},
        "encounter": {"reference": visit},
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": visit}],
    }
    async with world.client(world.people["hospital"]) as client:
        answer = await post_bundle(
            client,
            bundle_entry("POST", "MedicationRequest", request),
            bundle_entry("POST", "Encounter", encounter(person), visit),
            bundle_entry("POST", "Medication", drug, medicine),
            Prefer="return=representation",
        )
        assert response_statuses(answer) == ["201", "201", "201"]
        resources = [one["resource"] for one in answer.json()["entry"]]
        assert resources[0]["encounter"] == {"reference": f"Encounter/{resources[1]['id']}"}
        assert resources[0]["medicationReference"] == {"reference": f"Medication/{resources[2]['id']}"}
        assert resources[0]["identifier"][0]["value"] == visit
        url = f"/fhir/MedicationRequest?patient={person.id}&_include=MedicationRequest:medication"
        shown = (await client.get(url)).json()["entry"]
        assert [one["resource"] for one in shown] == [resources[0], resources[2]]


async def test_failed_entry_is_named_and_nothing_is_written(world):
    person = await world.person()
    good = observation(person)
    async with world.client(world.people["hospital"]) as client:
        wrong = orjson.loads(good) | {"status": "maybe", "issued": "today"}
        answer = await post_bundle(
            client, bundle_entry("POST", "Observation", good), bundle_entry("POST", "Observation", wrong)
        )
        assert answer.status_code == 422
        places = {place for issue in answer.json()["issue"] for place in issue["expression"]}
        assert places == {"Bundle.entry[1].resource.status", "Bundle.entry[1].resource.issued"}
        note = orjson.loads(good) | {"encounter": {"reference": f"Encounter/{uuid7().hex}{uuid7().hex}"}}
        absent_id = person.id.hex + uuid7().hex
        for faulty, status, place in (
            (bundle_entry("POST", "Observation", note), 422, "Bundle.entry[1].resource"),
            (bundle_entry("DELETE", f"Observation/{absent_id}"), 404, "Bundle.entry[1]"),
            (
                bundle_entry("PUT", f"Observation/{absent_id}", orjson.loads(good) | {"id": absent_id}),
                404,
                "Bundle.entry[1]",
            ),
            (bundle_entry("POST", "Patient/1", good), 422, "Bundle.entry[1]"),
            (bundle_entry("POST", "Bundle", good), 422, "Bundle.entry[1]"),
            (bundle_entry("GET", "Observation?code=1"), 422, "Bundle.entry[1]"),
        ):
            answer = await post_bundle(client, bundle_entry("POST", "Observation", good), faulty)
            assert answer.status_code == status, answer.text
            assert answer.json()["issue"][0]["expression"] == [place]
        assert await count_resources(client, person) == 0


async def test_entries_are_processed_in_r4_order(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        ids = [
            (await client.post("/fhir/Observation", content=observation(person), headers=FHIR)).json()["id"]
            for _ in range(3)
        ]
        changed, patched, deleted = ids
        patch = base64.b64encode(orjson.dumps([{"op": "replace", "path": "/status", "value": "amended"}])).decode()
        answer = await post_bundle(
            client,
            bundle_entry("GET", f"Observation/{changed}"),
            bundle_entry(
                "PATCH",
                f"Observation/{patched}",
                {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": patch},
            ),
            bundle_entry(
                "PUT",
                f"Observation/{changed}",
                orjson.loads(observation(person, value="9", id=changed)),
                ifMatch='W/"1"',
            ),
            bundle_entry("POST", "Observation", observation(person)),
            bundle_entry("DELETE", f"Observation/{deleted}"),
        )
        assert response_statuses(answer) == ["200", "200", "200", "201", "204"]
        read = answer.json()["entry"][0]["resource"]
        assert (read["valueQuantity"]["value"], read["meta"]["versionId"]) == (9, "2")
        assert (await client.get(f"/fhir/Observation/{patched}")).json()["status"] == "amended"
        assert (await client.get(f"/fhir/Observation/{deleted}")).status_code == 410
        late = bundle_entry(
            "PUT", f"Observation/{changed}", orjson.loads(observation(person, id=changed)), ifMatch='W/"1"'
        )
        assert (
            await post_bundle(client, bundle_entry("POST", "Observation", observation(person)), late)
        ).status_code == 412
        twice = [bundle_entry("DELETE", f"Observation/{changed}"), bundle_entry("DELETE", f"Observation/{changed}")]
        assert (await post_bundle(client, *twice)).status_code == 422
        assert await count_resources(client, person) == 3


async def test_conditional_create_creates_once_within_a_bundle(world):
    person, one, two = await world.person(), uuid7().urn, uuid7().urn
    body = observation(person, **identified("T1"))
    note = orjson.loads(observation(person)) | {"derivedFrom": [{"reference": one}, {"reference": two}]}
    criteria = {"ifNoneExist": "identifier=urn:lab|T1"}
    async with world.client(world.people["hospital"]) as client:
        entries = (
            bundle_entry("POST", "Observation", body, one, **criteria),
            bundle_entry("POST", "Observation", body, two, **criteria),
            bundle_entry("POST", "Observation", note),
        )
        answer = await post_bundle(client, *entries, Prefer="return=representation")
        assert response_statuses(answer) == ["201", "200", "201"]
        first, second, third = answer.json()["entry"]
        assert first["response"]["location"] == second["response"]["location"]
        first, third = first["resource"], third["resource"]
        assert third["derivedFrom"] == [{"reference": f"Observation/{first['id']}"}] * 2
        again = await post_bundle(client, *entries, Prefer="return=representation")
        assert response_statuses(again) == ["200", "200", "201"]
        assert again.json()["entry"][0]["resource"] == first
        note_by_search = orjson.loads(observation(person)) | {
            "derivedFrom": [{"reference": "Observation?identifier=urn:lab|T1"}]
        }
        linked = await post_bundle(
            client, bundle_entry("POST", "Observation", note_by_search), Prefer="return=representation"
        )
        assert linked.json()["entry"][0]["resource"]["derivedFrom"] == [{"reference": f"Observation/{first['id']}"}]
        note_by_search["derivedFrom"] = [{"reference": "Observation?identifier=urn:lab|nothing"}]
        assert (await post_bundle(client, bundle_entry("POST", "Observation", note_by_search))).status_code == 422
        answers = await asyncio.gather(
            *(
                post_bundle(
                    client,
                    bundle_entry(
                        "POST",
                        "Observation",
                        observation(person, **identified("T2")),
                        ifNoneExist="identifier=urn:lab|T2",
                    ),
                )
                for _ in range(4)
            )
        )
        assert sorted(response_statuses(answer)[0] for answer in answers) == ["200", "200", "200", "201"]
        changed = bundle_entry("PUT", "Observation?identifier=urn:lab|T2", observation(person, **identified("T2")))
        removed = bundle_entry("DELETE", "Observation?identifier=urn:lab|T1")
        assert response_statuses(await post_bundle(client, changed, removed)) == ["200", "204"]


async def test_synthea_bundle_is_accepted(world, shared_data):
    bundle = orjson.loads(gzip.decompress(sorted((shared_data / "synthea").glob("*.gz"))[1].read_bytes()))
    patient = bundle["entry"][0]["resource"]["identifier"][0]
    person = await world.person_in(bundle, identifiers=[Identifier(patient["system"], patient["value"])])
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=orjson.dumps(bundle), headers=FHIR)
        assert answer.status_code == 200, answer.text[:2000]
        assert set(response_statuses(answer)) == {"200", "201"}
        for type_ in ("Observation", "Encounter", "Claim"):
            expected = sum(part["resource"]["resourceType"] == type_ for part in bundle["entry"])
            assert await count_resources(client, person, type_) == expected
        page = await client.get(f"/fhir/Observation?patient={person.id}&_include=Observation:encounter&_count=5")
        assert {part["resource"]["resourceType"] for part in page.json()["entry"]} == {"Observation", "Encounter"}
