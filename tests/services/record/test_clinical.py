"""Clinical resources over HTTP: create, read, change, delete, history, conditional requests."""

import asyncio

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import requester_of

from .conftest import BASE, FHIR

PATCH = {"Content-Type": "application/json-patch+json"}
LABEL = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def observation(person, code: str = "718-7", value: str = "14.10", **fields) -> bytes:
    """An Observation of a person as JSON, with a value that keeps its digits."""
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{person.id}"},
        "effectiveDateTime": "2024-03-11T10:15:00Z",
        "valueQuantity": {"value": "@value", "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
    } | fields
    return orjson.dumps(resource).replace(b'"@value"', value.encode())


def identified(value: str) -> dict:
    return {"identifier": [{"system": "urn:lab", "value": value}]}


async def create(client, body: bytes, type_: str = "Observation", **headers):
    return await client.post(f"/fhir/{type_}", content=body, headers=FHIR | headers)


async def test_created_read_and_found_again(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        made = await create(hospital, observation(person))
        assert made.status_code == 201, made.text
        resource = made.json()
        assert made.headers["etag"] == 'W/"1"'
        assert made.headers["location"] == f"{BASE}/fhir/Observation/{resource['id']}/_history/1"
        assert resource["meta"]["versionId"] == "1"
        assert b'"value":14.10' in made.content
    async with world.client(world.people["doctor"]) as doctor:
        read = await doctor.get(f"/fhir/Observation/{resource['id']}")
        assert (read.status_code, read.content) == (200, made.content)
        assert read.headers["etag"] == 'W/"1"'
        found = await doctor.get("/fhir/Observation", params={"patient": str(person.id), "code": "718-7"})
        assert found.status_code == 200, found.text
        [entry] = found.json()["entry"]
        assert entry["resource"] == resource
        assert found.json()["total"] == 1
        assert check(found.content).ok, check(found.content).issues


async def test_a_change_makes_a_version_and_the_old_ones_stay(world):
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
async def test_the_history_of_nobody_is_empty(world, id_):
    async with world.client(world.people["hospital"]) as client:
        history = await client.get(f"/fhir/Patient/{id_}/_history")
        assert history.status_code == 200
        assert check(history.content).ok, check(history.content).issues
        assert "entry" not in history.json()
        assert history.json()["link"][0]["url"] == f"{BASE}/fhir/Patient/{id_}/_history"


async def test_history_is_shown_page_by_page(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        ids = [(await create(client, observation(person))).json()["id"] for _ in range(5)]
        url, seen = f"/fhir/Observation/_history?patient={person.id}&_count=2", []
        while url:
            page = (await client.get(url)).json()
            seen += [entry["resource"]["id"] for entry in page["entry"]]
            await create(client, observation(person))
            url = {link["relation"]: link["url"] for link in page["link"]}.get("next")
        assert seen == ids[::-1]
        bad = await client.get(f"/fhir/Observation/_history?patient={person.id}&_cursor=bm9uc2Vuc2U")
        assert bad.status_code == 400


async def test_only_the_version_that_was_read_is_changed(world):
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


async def test_what_the_client_has_is_not_sent_again(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        made = await create(client, observation(person))
        url = f"/fhir/Observation/{made.json()['id']}"
        assert (await client.get(url, headers={"If-None-Match": 'W/"1"'})).status_code == 304
        assert (await client.get(url, headers={"If-None-Match": 'W/"2"'})).status_code == 200
        since = made.headers["last-modified"]
        assert (await client.get(url, headers={"If-Modified-Since": since})).status_code == 304
        assert (
            await client.get(url, headers={"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"})
        ).status_code == 200
        assert (await client.get(url, headers={"If-Modified-Since": "yesterday"})).status_code == 200


@pytest.mark.parametrize(
    ("preference", "type_"),
    [("minimal", None), ("representation", "Observation"), ("OperationOutcome", "OperationOutcome")],
)
async def test_a_client_says_what_it_wants_back(world, preference, type_):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        made = await create(client, observation(person), Prefer=f"return={preference}")
        assert made.status_code == 201
        assert (made.json()["resourceType"] if made.content else None) == type_


async def test_created_unless_it_is_there(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body, criteria = observation(person, **identified("A1")), "identifier=urn:lab|A1"
        answers = await asyncio.gather(*(create(client, body, **{"If-None-Exist": criteria}) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        await create(client, body)
        several = await create(client, body, **{"If-None-Exist": criteria})
        assert several.status_code == 412
        assert (await create(client, body, **{"If-None-Exist": ""})).status_code == 412
        assert (await create(client, body, **{"If-None-Exist": "nonsense=1"})).status_code == 400


async def test_changed_and_deleted_by_a_search(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        params = {"identifier": "urn:lab|B1", "patient": str(person.id)}
        body = observation(person, **identified("B1"))
        made = await client.put("/fhir/Observation", params=params, content=body, headers=FHIR)
        assert made.status_code == 201
        again = await client.put("/fhir/Observation", params=params, content=body, headers=FHIR)
        assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
        assert again.headers["etag"] == 'W/"2"'
        own = observation(person, id="mine", **identified("B2"))
        refused = await client.put("/fhir/Observation?identifier=urn:lab|B2", content=own, headers=FHIR)
        assert refused.status_code == 405
        assert (await client.delete("/fhir/Observation", params=params)).status_code == 204
        assert (await client.get(f"/fhir/Observation/{made.json()['id']}")).status_code == 410
        assert (await client.delete("/fhir/Observation", params=params)).status_code == 204


async def test_ids_are_given_here(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        for id_, status in (("my-own", 405), (person.id.hex + uuid7().hex, 404), (uuid7().hex + uuid7().hex, 404)):
            answer = await client.put(f"/fhir/Observation/{id_}", content=observation(person, id=id_), headers=FHIR)
            assert answer.status_code == status
            assert (await client.get(f"/fhir/Observation/{id_}")).status_code == 404
            assert (await client.delete(f"/fhir/Observation/{id_}")).status_code == 404
        made = (await create(client, observation(person, id="chosen"))).json()
        assert made["id"] != "chosen"


async def test_only_its_author_changes_a_resource(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        made = (await create(hospital, observation(person))).json()
    url = f"/fhir/Observation/{made['id']}"
    changed = observation(person, value="1", id=made["id"])
    for who, status in (("doctor", 403), ("other", 404), ("surgeon", 200)):
        async with world.client(world.people[who]) as client:
            assert (await client.put(url, content=changed, headers=FHIR)).status_code == status
            if status != 200:
                assert (await client.delete(url)).status_code == status
    async with world.client(requester_of(person)) as me:
        assert (await me.get(url)).status_code == 200
        assert (await me.delete(url)).status_code == 403


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
        (lambda other: {"meta": {"security": [{"system": LABEL, "code": "V"}]}}, 422, "Observation.meta.security"),
        (lambda other: {"meta": {"security": [{"system": LABEL, "code": "X"}]}}, 422, "Observation.meta.security"),
    ],
)
async def test_what_cannot_be_created_is_refused_with_its_place(world, edit, status, place):
    person, other = await world.person(), await world.person()
    body = orjson.loads(observation(person)) | edit(other)
    body = {name: value for name, value in body.items() if value is not None}
    async with world.client(world.people["hospital"]) as client:
        answer = await create(client, orjson.dumps(body))
        assert answer.status_code == status, answer.text
        issue = answer.json()["issue"][0]
        assert issue.get("expression", [None]) == [place]
        assert "entry" not in (await client.get("/fhir/Observation", params={"patient": str(person.id)})).json()


async def test_a_subject_by_identifier_is_looked_up(world):
    person = await world.person()
    identifier = person.identifiers[0]
    subject = {"identifier": {"system": identifier.system, "value": identifier.value}}
    async with world.client(world.people["hospital"]) as client:
        made = (await create(client, observation(person, subject=subject))).json()
        assert made["subject"] == subject | {"reference": f"Patient/{person.id}"}
        wrong = subject | {"reference": f"Patient/{uuid7()}"}
        assert (await create(client, observation(person, subject=wrong))).status_code == 422


async def test_a_restricted_resource_is_for_the_author_and_the_circle(world):
    person = await world.person()
    label = {"security": [{"system": LABEL, "code": "R"}]}
    async with world.client(world.people["hospital"]) as hospital:
        made = (await create(hospital, observation(person))).json()
        url = f"/fhir/Observation/{made['id']}"
        stricter = await hospital.put(url, content=observation(person, id=made["id"], meta=label), headers=FHIR)
        assert stricter.status_code == 200
        laxer = await hospital.put(url, content=observation(person, id=made["id"]), headers=FHIR)
        assert laxer.json()["meta"]["security"] == label["security"]


async def test_the_patient_hides_a_resource_with_all_its_versions(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with world.client(world.people["hospital"]) as hospital:
        made = (await create(hospital, observation(person))).json()
        url = f"/fhir/Observation/{made['id']}"
        await hospital.put(url, content=observation(person, value="9", id=made["id"]), headers=FHIR)
        refused = await hospital.post(f"{url}/$meta-add", content=_meta("V"), headers=FHIR)
        assert refused.status_code == 403
    async with world.client(requester_of(person)) as me, world.client(world.people["doctor"]) as doctor:
        history = f"/fhir/Observation/_history?patient={person.id}"
        assert len((await doctor.get(history)).json()["entry"]) == 2
        hidden = await me.post(f"{url}/$meta-add", content=_meta("V"), headers=FHIR)
        assert hidden.json()["parameter"][0]["valueMeta"]["security"] == [{"system": LABEL, "code": "V"}]
        for address in (url, f"{url}/_history/1", f"{url}/_history"):
            assert (await doctor.get(address)).status_code == 404
        assert "entry" not in (await doctor.get(history)).json()
        assert (await me.get(url)).status_code == 200
        async with world.client(world.people["hospital"]) as hospital:
            own = (await hospital.get(url)).json()
            assert (await hospital.put(url, content=orjson.dumps(own), headers=FHIR)).status_code == 200
        assert (await doctor.get(url)).status_code == 404
        assert (await me.post(f"{url}/$meta-delete", content=_meta("V"), headers=FHIR)).status_code == 200
        shown = await doctor.get(url)
        assert (shown.status_code, "security" in shown.json()["meta"]) == (200, False)
        assert len((await doctor.get(history)).json()["entry"]) == 5
        assert (await me.post(f"{url}/$meta-add", content=_meta("N"), headers=FHIR)).status_code == 422


def _meta(code: str) -> bytes:
    meta = {"security": [{"system": LABEL, "code": code}]}
    return orjson.dumps({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})


async def test_what_a_patient_adds_herself_counts_as_her_note(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    from esante.services.record.clinical.events import ClinicalCreated

    async with world.client(requester_of(person)) as me:
        made = await create(me, observation(person))
        assert made.status_code == 201
        implied = orjson.loads(observation(person))
        del implied["subject"]
        assert (await create(me, orjson.dumps(implied))).json()["subject"] == {"reference": f"Patient/{person.id}"}
        request = {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "subject": {"reference": f"Patient/{person.id}"},
            "medicationCodeableConcept": {"text": "morphine"},
        }
        assert (await create(me, orjson.dumps(request), "MedicationRequest")).status_code == 403
        other = await world.person()
        assert (await create(me, observation(other))).status_code in (403, 404)
    [(_, first), _] = await world.events(person, ClinicalCreated)
    assert (first.categories, first.rule) == (("patient_note",), "patient.write")
    async with world.client(world.people["doctor"]) as doctor:
        assert (await doctor.get(f"/fhir/Observation/{made.json()['id']}")).status_code == 200


async def test_who_may_not_write_a_category_is_refused_and_it_is_told(world):
    person, closed = await world.person(), await world.person(opened=False)
    from esante.services.record.clinical.events import ClinicalRefused

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
    [(_, told)] = await world.events(person, ClinicalRefused)
    assert (told.action, told.type, told.categories, told.rule) == (
        "create",
        "MedicationRequest",
        ("prescription",),
        "write.category",
    )


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        (b"{", 400),
        (b"{}", 400),
        (b"[1]", 400),
        (b'[{"op":"add"}]', 422),
        (b'[{"op":"jump","path":"/status"}]', 422),
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
        (b'[{"op":"replace","path":{"a":1},"value":1}]', 422),
        (b'[{"op":["add"],"path":"/status","value":1}]', 422),
        (b'[{"op":"add","path":"/note/99999999999999999999","value":1}]', 422),
    ],
)
async def test_a_hostile_patch_is_refused(world, operations, status):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        id_ = (await create(client, observation(person))).json()["id"]
        answer = await client.patch(f"/fhir/Observation/{id_}", content=operations, headers=PATCH)
        assert answer.status_code == status, answer.text
        assert (await client.get(f"/fhir/Observation/{id_}")).headers["etag"] == 'W/"1"'
        assert (await client.patch(f"/fhir/Observation/{id_}", content=operations, headers=FHIR)).status_code == 415
