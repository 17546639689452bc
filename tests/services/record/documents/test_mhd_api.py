"""The FHIR endpoints for documents: deposit, search, retrieval and withdrawal, as a client sees them."""

import base64
import hashlib

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.record.documents import mhd_api
from tests.support.record import BASE, FHIR, cda, fhir_document, image, loinc, pdf, reference, transaction

CONTENTS = {
    "application/fhir+json": lambda: (orjson.dumps(fhir_document()), ""),
    "application/pdf": lambda: (pdf(), "11504-8"),
    "application/hl7-cda+xml": lambda: (cda(), ""),
    "image/png": lambda: (image(), "18748-4"),
    "text/plain": lambda: (f"Ça va. {uuid7().hex}".encode(), "51852-2"),
}


@pytest.mark.parametrize("media_type", CONTENTS)
async def test_published_document_is_found_and_retrieved_unchanged(world, media_type):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    content, type_ = CONTENTS[media_type]()
    async with world.client(world.people["hospital"]) as hospital:
        body = orjson.dumps(reference(person, content, media_type, type_=type_))
        created = await hospital.post("/fhir/DocumentReference", content=body, headers=FHIR)
        assert created.status_code == 201
        assert created.headers["location"] == f"{BASE}/fhir/DocumentReference/{created.json()['id']}"
        again = await hospital.post("/fhir/DocumentReference", content=body, headers=FHIR)
        assert (again.status_code, again.json()) == (200, created.json())
    async with world.client(world.people["doctor"]) as doctor:
        found = (await doctor.get("/fhir/DocumentReference", params={"patient": f"Patient/{person.id}"})).json()
        [entry] = found["entry"]
        assert entry["resource"] == created.json()
        attachment = entry["resource"]["content"][0]["attachment"]
        retrieved = await doctor.get(attachment["url"])
    assert retrieved.content == content
    digest = hashlib.sha256(content)
    assert retrieved.headers["content-type"] == media_type
    assert retrieved.headers["content-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert retrieved.headers["etag"] == f'"{digest.hexdigest()}"'
    assert retrieved.headers["content-disposition"].startswith("attachment;")
    assert retrieved.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in retrieved.headers["content-security-policy"]
    assert base64.b64decode(attachment["hash"]) == hashlib.sha1(content).digest()
    assert attachment["size"] == len(content)


async def test_responses_are_valid_r4(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = transaction(person, ({}, orjson.dumps(fhir_document(person)), "application/fhir+json"))
        answers = [await client.post("/fhir", content=body, headers=FHIR)]
        params = {"patient": f"Patient/{person.id}"}
        answers += [await client.get(f"/fhir/{type_}", params=params) for type_ in ("DocumentReference", "List")]
        answers.append(await client.get("/fhir/DocumentReference"))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400]
    for answer in answers:
        assert check(answer.content).issues == ()


async def test_transaction_keeps_bytes_of_fhir_document(world):
    person = await world.person()
    odd = orjson.dumps(fhir_document(person), option=orjson.OPT_INDENT_2).replace(b"Discharge", b"D\\u0069scharge")
    letter, note = pdf(), b"as discussed " + uuid7().hex.encode()
    body = transaction(
        person,
        ({}, odd, "application/fhir+json"),
        ({"type": loinc("11504-8")}, letter, "application/pdf"),
        ({"type": loinc("51852-2")}, note, "text/plain"),
    )
    async with world.client(world.people["hospital"]) as client:
        answer = (await client.post("/fhir", content=body, headers=FHIR)).json()
        assert answer["type"] == "transaction-response"
        assert [entry["response"]["status"] for entry in answer["entry"]] == ["201"] * 7
        locations = [entry["response"]["location"].partition("/")[0] for entry in answer["entry"]]
        assert locations == [
            "List",
            "DocumentReference",
            "Bundle",
            "DocumentReference",
            "Binary",
            "DocumentReference",
            "Binary",
        ]
        for place, content in ((1, odd), (3, letter), (5, note)):
            url = answer["entry"][place]["resource"]["content"][0]["attachment"]["url"]
            assert url == answer["entry"][place + 1]["fullUrl"]
            assert (await client.get(url)).content == content
        submission = (await client.get(answer["entry"][0]["fullUrl"])).json()
        listed = [entry["item"]["reference"] for entry in submission["entry"]]
        assert listed == [answer["entry"][place]["response"]["location"] for place in (1, 3, 5)]
        found = (
            await client.get(
                "/fhir/List", params={"patient": str(person.id), "code": "submissionset", "status": "current"}
            )
        ).json()
        assert [entry["resource"] for entry in found["entry"]] == [submission]
        again = (await client.post("/fhir", content=body, headers=FHIR)).json()
        assert [entry["response"]["status"] for entry in again["entry"]] == ["200"] * 7
        assert again["entry"][0]["response"]["location"] == answer["entry"][0]["response"]["location"]


async def test_transaction_with_invalid_document_stores_nothing(world):
    person = await world.person()
    body = transaction(
        person,
        ({}, orjson.dumps(fhir_document(person)), "application/fhir+json"),
        ({"type": loinc("11504-8")}, b"%PDF-1.7 broken", "application/pdf"),
    )
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=body, headers=FHIR)
        assert answer.status_code == 422
        assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[3].resource.content[0].attachment"]
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
        assert "entry" not in found.json()


async def test_replacement_supersedes_old_version(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="11504-8"))
        old = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{old['id']}"}}]
        body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="11504-8", relatesTo=relation))
        new = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        assert new["relatesTo"] == relation
        assert (await client.get(f"/fhir/DocumentReference/{old['id']}")).json()["status"] == "superseded"
        current = await client.get("/fhir/DocumentReference", params={"patient": str(person.id), "status": "current"})
        assert [entry["resource"]["id"] for entry in current.json()["entry"]] == [new["id"]]


async def test_transaction_may_update_status_of_replaced_document(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="11504-8"))
        old = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{old['id']}"}}]
        sent = orjson.loads(
            transaction(person, ({"relatesTo": relation, "type": loinc("11504-8")}, pdf(), "application/pdf"))
        )
        update = {
            "fullUrl": f"{BASE}/fhir/DocumentReference/{old['id']}",
            "resource": old | {"status": "superseded"},
            "request": {"method": "PUT", "url": f"DocumentReference/{old['id']}"},
        }
        sent["entry"].append(update)
        answer = await client.post("/fhir", content=orjson.dumps(sent), headers=FHIR)
        assert answer.status_code == 200
        assert (await client.get(f"/fhir/DocumentReference/{old['id']}")).json()["status"] == "superseded"


async def test_put_withdraws_only_with_status_and_reason(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="11504-8"))
        old = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        url = f"/fhir/DocumentReference/{old['id']}"
        for change, status in (
            ({"status": "current"}, 422),
            ({"status": "entered-in-error"}, 422),
            ({"status": "entered-in-error", "description": "wrong scan", "id": "another"}, 400),
            ({"status": "entered-in-error", "description": "wrong scan"}, 200),
            ({"status": "entered-in-error", "description": "wrong scan"}, 409),
        ):
            answer = await client.put(url, content=orjson.dumps(old | change), headers=FHIR)
            assert answer.status_code == status, change
        assert (await client.get(url)).json()["status"] == "entered-in-error"


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        ("system/DocumentReference.rs", "POST", "/fhir/DocumentReference", 403),
        ("system/DocumentReference.c", "GET", "/fhir/DocumentReference?patient={person}", 403),
        ("system/DocumentReference.cruds", "GET", "/fhir/List?patient={person}", 403),
        ("system/DocumentReference.cruds", "GET", "/fhir/Binary/{id}", 403),
        ("system/DocumentReference.rs", "PUT", "/fhir/DocumentReference/{id}", 403),
        ("system/DocumentReference.rs", "POST", "/fhir", 403),
        ("system/List.s", "GET", "/fhir/List?patient={person}", 200),
    ],
)
async def test_scopes_limit_endpoints(world, scopes, method, path, status):
    person = await world.person()
    path = path.format(person=person.id, id=uuid7().hex + uuid7().hex)
    async with world.client(world.people["hospital"], scopes) as client:
        answer = await client.request(method, path, content=b"{}", headers=FHIR)
    assert answer.status_code == status


async def test_request_without_token_is_unauthorized(world):
    async with world.client(world.people["hospital"]) as client:
        for path in ("/fhir/DocumentReference", "/fhir/List", f"/fhir/Binary/{uuid7().hex}{uuid7().hex}"):
            assert (await client.get(path, headers={"Authorization": ""})).status_code == 401


async def test_unknown_type_is_refused_with_accepted_types(world):
    person = await world.person()
    body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="8867-4"))
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=body, headers=FHIR)
    said = answer.json()["issue"][0]["diagnostics"]
    assert "8867-4" in said
    assert "18842-5 (Discharge summary)" in said


async def test_every_issue_of_fhir_document_is_listed(world):
    person = await world.person()
    document = fhir_document(person, status="done", date="tomorrow")
    body = orjson.dumps(reference(person, orjson.dumps(document), "application/fhir+json"))
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=body, headers=FHIR)
    places = {issue["expression"][0] for issue in answer.json()["issue"]}
    assert answer.status_code == 422
    assert any(place.endswith(".status") for place in places)
    assert any(place.endswith(".date") for place in places)


async def test_findings_are_in_response(world):
    person = await world.person()
    foreign = orjson.dumps(fhir_document())
    async with world.client(world.people["hospital"]) as client:
        body = transaction(person, ({}, foreign, "application/fhir+json"))
        answer = (await client.post("/fhir", content=body, headers=FHIR)).json()
        entry = answer["entry"][1]
        assert entry["response"]["outcome"]["issue"][0]["severity"] == "warning"
        [remark] = entry["resource"]["extension"]
        assert remark["valueCoding"]["code"] == "subject-not-confirmed"


async def test_oversized_and_non_json_bodies_are_refused(world):
    async with world.client(world.people["hospital"]) as client:
        declared = await client.post("/fhir", content=b"{}", headers=FHIR | {"Content-Length": str(200 * 1024 * 1024)})
        xml = await client.post("/fhir", content=b"<Bundle/>", headers={"Content-Type": "application/fhir+xml"})

        async def endless():
            for _ in range(mhd_api.MAX_BUNDLE // 1_000_000 + 30):
                yield bytes(1_000_000)

        streamed = await client.post("/fhir", content=endless(), headers=FHIR)
    assert [answer.status_code for answer in (declared, xml, streamed)] == [413, 415, 413]


async def test_hidden_document_is_labelled_very_restricted(world):
    person = await world.person()
    me = requester_of(person)
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="11504-8"))
        made = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
    documents = (await world.record.timeline(me, person.id)).documents
    await world.record.set_confidentiality(me, person.id, documents[0].id, Confidentiality.HIDDEN)
    async with world.client(me) as client:
        label = (await client.get(f"/fhir/DocumentReference/{made['id']}")).json()["securityLabel"]
    assert label[0]["coding"][0]["code"] == "V"


def test_capabilities_list_search_parameters():
    by_type = {entry["type"]: entry for entry in mhd_api.capabilities()}
    assert {"DocumentReference", "List", "Binary", "Bundle", "Observation", "Provenance"} <= set(by_type)
    names = {parameter["name"] for parameter in by_type["DocumentReference"]["searchParam"]}
    assert {"patient", "patient.identifier", "type", "status", "period"} <= names
