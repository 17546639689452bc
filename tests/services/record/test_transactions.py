"""Batches and transactions: all or nothing, references between entries, conditions, the order of R4."""

import asyncio
import base64
import gzip

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.identity.directory import Identifier

from .conftest import BASE, FHIR
from .test_clinical import identified, observation


def entry(method: str, url: str, resource: dict | bytes | None = None, full_url: str = "", **request) -> dict:
    found: dict = {"request": {"method": method, "url": url} | request}
    if resource is not None:
        found["resource"] = orjson.loads(resource) if isinstance(resource, bytes) else resource
    if full_url:
        found["fullUrl"] = full_url
    return found


async def send(client, *entries: dict, type_: str = "transaction", **headers):
    body = orjson.dumps({"resourceType": "Bundle", "type": type_, "entry": list(entries)})
    return await client.post("/fhir", content=body, headers=FHIR | headers)


def encounter(person) -> dict:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{person.id}"},
    }


def statuses(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert check(answer.content).ok, check(answer.content).issues
    return [one["response"]["status"] for one in answer.json()["entry"]]


async def total(client, person, type_: str = "Observation") -> int:
    return (await client.get(f"/fhir/{type_}", params={"patient": str(person.id), "_count": "0"})).json()["total"]


async def test_entries_refer_to_each_other(world):
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
        answer = await send(
            client,
            entry("POST", "MedicationRequest", request),
            entry("POST", "Encounter", encounter(person), visit),
            entry("POST", "Medication", drug, medicine),
            Prefer="return=representation",
        )
        assert statuses(answer) == ["201", "201", "201"]
        made = [one["resource"] for one in answer.json()["entry"]]
        assert made[0]["encounter"] == {"reference": f"Encounter/{made[1]['id']}"}
        assert made[0]["medicationReference"] == {"reference": f"Medication/{made[2]['id']}"}
        assert made[0]["identifier"][0]["value"] == visit
        url = f"/fhir/MedicationRequest?patient={person.id}&_include=MedicationRequest:medication"
        shown = (await client.get(url)).json()["entry"]
        assert [one["resource"] for one in shown] == [made[0], made[2]]


async def test_all_or_nothing_and_the_entry_at_fault_is_named(world):
    person = await world.person()
    good = observation(person)
    async with world.client(world.people["hospital"]) as client:
        wrong = orjson.loads(good) | {"status": "maybe", "issued": "today"}
        answer = await send(client, entry("POST", "Observation", good), entry("POST", "Observation", wrong))
        assert answer.status_code == 422
        places = {place for issue in answer.json()["issue"] for place in issue["expression"]}
        assert places == {"Bundle.entry[1].resource.status", "Bundle.entry[1].resource.issued"}
        note = orjson.loads(good) | {"encounter": {"reference": f"Encounter/{uuid7().hex}{uuid7().hex}"}}
        gone = person.id.hex + uuid7().hex
        for faulty, status, place in (
            (entry("POST", "Observation", note), 422, "Bundle.entry[1].resource"),
            (entry("DELETE", f"Observation/{gone}"), 404, "Bundle.entry[1]"),
            (entry("PUT", f"Observation/{gone}", orjson.loads(good) | {"id": gone}), 404, "Bundle.entry[1]"),
            (entry("POST", "Patient/1", good), 422, "Bundle.entry[1]"),
            (entry("POST", "Bundle", good), 422, "Bundle.entry[1]"),
            (entry("GET", "Observation?code=1"), 422, "Bundle.entry[1]"),
        ):
            answer = await send(client, entry("POST", "Observation", good), faulty)
            assert answer.status_code == status, answer.text
            assert answer.json()["issue"][0]["expression"] == [place]
        assert await total(client, person) == 0


async def test_the_order_is_that_of_r4(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        ids = [
            (await client.post("/fhir/Observation", content=observation(person), headers=FHIR)).json()["id"]
            for _ in range(3)
        ]
        changed, patched, deleted = ids
        patch = base64.b64encode(orjson.dumps([{"op": "replace", "path": "/status", "value": "amended"}])).decode()
        answer = await send(
            client,
            entry("GET", f"Observation/{changed}"),
            entry(
                "PATCH",
                f"Observation/{patched}",
                {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": patch},
            ),
            entry(
                "PUT",
                f"Observation/{changed}",
                orjson.loads(observation(person, value="9", id=changed)),
                ifMatch='W/"1"',
            ),
            entry("POST", "Observation", observation(person)),
            entry("DELETE", f"Observation/{deleted}"),
        )
        assert statuses(answer) == ["200", "200", "200", "201", "204"]
        read = answer.json()["entry"][0]["resource"]
        assert (read["valueQuantity"]["value"], read["meta"]["versionId"]) == (9, "2")
        assert (await client.get(f"/fhir/Observation/{patched}")).json()["status"] == "amended"
        assert (await client.get(f"/fhir/Observation/{deleted}")).status_code == 410
        late = entry("PUT", f"Observation/{changed}", orjson.loads(observation(person, id=changed)), ifMatch='W/"1"')
        assert (await send(client, entry("POST", "Observation", observation(person)), late)).status_code == 412
        twice = [entry("DELETE", f"Observation/{changed}"), entry("DELETE", f"Observation/{changed}")]
        assert (await send(client, *twice)).status_code == 422
        assert await total(client, person) == 3


async def test_conditions_are_met_once_also_within_a_bundle(world):
    person, one, two = await world.person(), uuid7().urn, uuid7().urn
    body = observation(person, **identified("T1"))
    note = orjson.loads(observation(person)) | {"derivedFrom": [{"reference": one}, {"reference": two}]}
    criteria = {"ifNoneExist": "identifier=urn:lab|T1"}
    async with world.client(world.people["hospital"]) as client:
        entries = (
            entry("POST", "Observation", body, one, **criteria),
            entry("POST", "Observation", body, two, **criteria),
            entry("POST", "Observation", note),
        )
        answer = await send(client, *entries, Prefer="return=representation")
        assert statuses(answer) == ["201", "200", "201"]
        first, second, third = answer.json()["entry"]
        assert first["response"]["location"] == second["response"]["location"]
        first, third = first["resource"], third["resource"]
        assert third["derivedFrom"] == [{"reference": f"Observation/{first['id']}"}] * 2
        again = await send(client, *entries, Prefer="return=representation")
        assert statuses(again) == ["200", "200", "201"]
        assert again.json()["entry"][0]["resource"] == first
        found = orjson.loads(observation(person)) | {
            "derivedFrom": [{"reference": "Observation?identifier=urn:lab|T1"}]
        }
        linked = await send(client, entry("POST", "Observation", found), Prefer="return=representation")
        assert linked.json()["entry"][0]["resource"]["derivedFrom"] == [{"reference": f"Observation/{first['id']}"}]
        found["derivedFrom"] = [{"reference": "Observation?identifier=urn:lab|nothing"}]
        assert (await send(client, entry("POST", "Observation", found))).status_code == 422
        answers = await asyncio.gather(
            *(
                send(
                    client,
                    entry(
                        "POST",
                        "Observation",
                        observation(person, **identified("T2")),
                        ifNoneExist="identifier=urn:lab|T2",
                    ),
                )
                for _ in range(4)
            )
        )
        assert sorted(statuses(answer)[0] for answer in answers) == ["200", "200", "200", "201"]
        changed = entry("PUT", "Observation?identifier=urn:lab|T2", observation(person, **identified("T2")))
        removed = entry("DELETE", "Observation?identifier=urn:lab|T1")
        assert statuses(await send(client, changed, removed)) == ["200", "204"]


async def test_a_bundle_is_of_one_person(world):
    person, other = await world.person(), await world.person()
    async with world.client(world.people["hospital"]) as client:
        answer = await send(
            client, entry("POST", "Observation", observation(person)), entry("POST", "Observation", observation(other))
        )
        assert answer.status_code == 422
        strange = (await client.post("/fhir/Observation", content=observation(other), headers=FHIR)).json()["id"]
        answer = await send(
            client, entry("POST", "Observation", observation(person)), entry("DELETE", f"Observation/{strange}")
        )
        assert answer.status_code == 422
        nobody = orjson.loads(observation(person)) | {"subject": {"reference": uuid7().urn}}
        assert (await send(client, entry("POST", "Observation", nobody))).status_code == 422
        assert (await send(client, entry("POST", "Medication", {"resourceType": "Medication"}))).status_code == 422


async def test_who_the_directory_knows_is_referred_to_there(world):
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
        answer = await send(
            client,
            entry("POST", "Organization", as_clinic, clinic),
            entry("POST", "Practitioner", as_doctor, doctor),
            entry("POST", "Patient", as_patient, patient),
            entry("POST", "Observation", note),
        )
        assert statuses(answer) == ["201", "200", "200", "201"]
        url = f"/fhir/Observation?patient={person.id}&_include=Observation:performer&_include=Observation:subject"
        shown = [part["resource"] for part in (await client.get(url)).json()["entry"]]
        assert shown[0]["performer"][0] == {"reference": f"Practitioner/{known.id}"}
        assert {one["resourceType"] for one in shown} == {"Observation", "Practitioner", "Organization", "Patient"}
        assert [one["name"] for one in shown if one["resourceType"] == "Organization"] == ["Elsewhere"]


def _identifier(identifier: Identifier) -> dict:
    return {"system": identifier.system, "value": identifier.value}


async def test_what_synthea_makes_is_taken_in(world, shared_data):
    bundle = orjson.loads(gzip.decompress(sorted((shared_data / "synthea").glob("*.gz"))[1].read_bytes()))
    patient = bundle["entry"][0]["resource"]["identifier"][0]
    person = await world.person(identifiers=[Identifier(patient["system"], patient["value"])])
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=orjson.dumps(bundle), headers=FHIR)
        assert answer.status_code == 200, answer.text[:2000]
        assert set(statuses(answer)) == {"200", "201"}
        for type_ in ("Observation", "Encounter", "Claim"):
            expected = sum(part["resource"]["resourceType"] == type_ for part in bundle["entry"])
            assert await total(client, person, type_) == expected
        page = await client.get(f"/fhir/Observation?patient={person.id}&_include=Observation:encounter&_count=5")
        assert {part["resource"]["resourceType"] for part in page.json()["entry"]} == {"Observation", "Encounter"}


async def test_each_entry_of_a_batch_is_a_request_of_its_own(world):
    person = await world.person()
    patch = base64.b64encode(orjson.dumps([{"op": "replace", "path": "/status", "value": "amended"}])).decode()
    async with world.client(world.people["hospital"]) as client:
        id_ = (await client.post("/fhir/Observation", content=observation(person), headers=FHIR)).json()["id"]
        answer = await send(
            client,
            entry("POST", "Observation", observation(person)),
            entry("POST", "Observation", orjson.loads(observation(person)) | {"status": "maybe"}),
            entry("GET", f"Observation?patient={person.id}"),
            entry(
                "PATCH",
                f"{BASE}/fhir/Observation/{id_}",
                {"resourceType": "Binary", "contentType": "x/y", "data": patch},
            ),
            entry("GET", f"Observation/{id_}", ifNoneMatch='W/"2"'),
            entry("GET", "DocumentReference?patient=" + str(person.id)),
            entry("GET", "nonsense"),
            entry("POST", "/", {"resourceType": "Bundle", "type": "batch"}),
            entry("DELETE", f"Observation/{id_}", ifMatch='W/"1"'),
            type_="batch",
        )
        assert statuses(answer) == ["201", "422", "200", "200", "304", "200", "404", "400", "412"]
        parts = answer.json()["entry"]
        assert parts[1]["response"]["outcome"]["issue"][0]["expression"] == ["Observation.status"]
        assert parts[2]["resource"]["total"] == 2
        assert parts[3]["resource"]["status"] == "amended"
    async with world.client(requester_of(person), "patient/Observation.rs") as client:
        answer = await send(client, entry("POST", "Observation", observation(person)), type_="batch")
        assert statuses(answer) == ["403"]
        assert (await send(client, entry("POST", "Observation", observation(person)))).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"request":7}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[],"more":1}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"more":1}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[' + b"{}," * 20_000 + b"{}]}", 413),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"link":[' + b"{}," * 500_000 + b"{}]}]}", 422),
        (b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Observation"}}]}', 422),
        (b'{"resourceType":"Bundle","type":"batch"}', 200),
        (
            b'{"resourceType":"Bundle","type":"batch","entry":['
            + b'{"request":{"method":"GET","url":"a"}},' * 200
            + b'{"request":{"method":"GET","url":"a"}}]}',
            413,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"POST","url":"Observation"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Observation","subject":{"reference":"Patient/"}},"request":{"method":"POST","url":"Observation"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":'
            + b"[" * 300
            + b"]" * 300
            + b',"request":{"method":"POST","url":"Observation"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"resource":"x","request":{"method":"PUT","url":"Observation/1"}}]}',
            422,
        ),
        (
            b'{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"HEAD","url":"Observation/1"}}]}',
            422,
        ),
    ],
)
async def test_bundles_of_a_wrong_shape_are_refused(world, body, status):
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=body, headers=FHIR)
        assert answer.status_code == status, answer.text
