"""The FHIR face: deposit, find, retrieve, withdraw, as a client sees it."""

import base64
import hashlib

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.identity.directory import Identifier
from esante.services.record.documents import mhd_api

from .conftest import BASE, FHIR, cda, fhir_document, image, pdf, reference, transaction

CONTENTS = {
    "application/fhir+json": lambda: (orjson.dumps(fhir_document()), ""),
    "application/pdf": lambda: (pdf(), "11504-8"),
    "application/hl7-cda+xml": lambda: (cda(), ""),
    "image/png": lambda: (image(), "18748-4"),
    "text/plain": lambda: (f"Ça va. {uuid7().hex}".encode(), "51852-2"),
}


@pytest.mark.parametrize("media_type", CONTENTS)
async def test_published_found_and_retrieved_identical(world, media_type):
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


async def test_what_is_answered_is_valid_r4(world):
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


async def test_a_transaction_keeps_a_fhir_document_as_it_was_sent(world):
    person = await world.person()
    odd = orjson.dumps(fhir_document(person), option=orjson.OPT_INDENT_2).replace(b"Discharge", b"D\\u0069scharge")
    letter, note = pdf(), b"as discussed " + uuid7().hex.encode()
    body = transaction(
        person,
        ({}, odd, "application/fhir+json"),
        ({"type": _loinc("11504-8")}, letter, "application/pdf"),
        ({"type": _loinc("51852-2")}, note, "text/plain"),
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


async def test_a_transaction_with_one_wrong_document_keeps_none(world):
    person = await world.person()
    body = transaction(
        person,
        ({}, orjson.dumps(fhir_document(person)), "application/fhir+json"),
        ({"type": _loinc("11504-8")}, b"%PDF-1.7 broken", "application/pdf"),
    )
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=body, headers=FHIR)
        assert answer.status_code == 422
        assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[3].resource.content[0].attachment"]
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
        assert "entry" not in found.json()


async def test_a_new_version_replaces(world):
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


async def test_a_transaction_may_say_what_becomes_of_the_replaced(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="11504-8"))
        old = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        relation = [{"code": "replaces", "target": {"reference": f"DocumentReference/{old['id']}"}}]
        sent = orjson.loads(
            transaction(person, ({"relatesTo": relation, "type": _loinc("11504-8")}, pdf(), "application/pdf"))
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


async def test_withdrawn_by_put_with_a_reason(world):
    person = await world.person()
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="11504-8"))
        old = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        url = f"/fhir/DocumentReference/{old['id']}"
        for change, status in (
            ({"status": "current"}, 422),
            ({"status": "entered-in-error"}, 422),
            ({"status": "entered-in-error", "description": "wrong scan", "id": "another"}, 422),
            ({"status": "entered-in-error", "description": "wrong scan"}, 200),
            ({"status": "entered-in-error", "description": "wrong scan"}, 409),
        ):
            answer = await client.put(url, content=orjson.dumps(old | change), headers=FHIR)
            assert answer.status_code == status, change
        assert (await client.get(url)).json()["status"] == "entered-in-error"


async def test_searches_narrow_down(world):
    person = await world.person(identifiers=(Identifier("urn:oid:2.999.7", uuid7().hex),))
    hospital, doctor = world.people["hospital"], world.people["doctor"]
    made = {}
    async with world.client(hospital) as client:
        for name, type_, fields in (
            ("old", "11504-8", {"context": {"period": {"start": "2021-02-03"}}}),
            ("new", "18748-4", {"context": {"period": {"start": "2024-05-06"}}}),
        ):
            body = reference(person, pdf(), "application/pdf", type_=type_, **fields)
            body["masterIdentifier"] = {"system": "urn:oid:2.999.8", "value": name}
            made[name] = (
                await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
            ).json()["id"]
        labelled = reference(
            person,
            pdf(),
            "application/pdf",
            type_="11488-4",
            securityLabel=[{"coding": [{"system": made_label(), "code": "R"}]}],
            context={"period": {"start": "2022-01-01"}},
        )
        made["restricted"] = (
            await client.post("/fhir/DocumentReference", content=orjson.dumps(labelled), headers=FHIR)
        ).json()["id"]
    system, value = person.identifiers[0].system, person.identifiers[0].value

    async with world.client(requester_of(person)) as client:

        async def found(method="get", **params):
            params = {name.replace("__", ".").replace("_", "-"): value for name, value in params.items()}
            if method == "get":
                answer = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)} | params)
            else:
                answer = await client.post(
                    "/fhir/DocumentReference/_search", data={"patient": str(person.id)} | params
                )
            names = {id_: name for name, id_ in made.items()}
            return {names[entry["resource"]["id"]] for entry in answer.json().get("entry", ())}

        everything = {"old", "new", "restricted"}
        assert await found() == everything
        assert await found("post", type="11504-8") == {"old"}
        assert await found(patient=f"{BASE}/fhir/Patient/{person.id}") == everything
        assert await found(type="http://loinc.org|11504-8,http://loinc.org|18748-4") == {"old", "new"}
        assert await found(type="http://snomed.info/sct|11504-8") == set()
        assert await found(category="imaging_report") == {"new"}
        assert await found(period="ge2024") == {"new"}
        assert await found(period="2021-02") == {"old"}
        assert await found(date="lt2000") == set()
        assert await found(identifier="urn:oid:2.999.8|new") == {"new"}
        assert await found(security_label="R") == {"restricted"}
        assert await found(author=f"Organization/{hospital.id}") == everything
        assert await found(author=f"Practitioner/{doctor.id}") == set()
        assert await found(author__family="hopital") == everything
        assert await found(status="superseded") == set()
        assert await found(format="urn:ihe:iti:xds:2017:mimeTypeSufficient") == everything
        by_id = await client.get("/fhir/DocumentReference", params={"_id": made["old"]})
        assert [entry["resource"]["id"] for entry in by_id.json()["entry"]] == [made["old"]]
        by_identifier = await client.get(
            "/fhir/DocumentReference", params={"patient.identifier": f"{system}|{value}", "_count": "2"}
        )
        assert len(by_identifier.json()["entry"]) == 2
        [following] = [link["url"] for link in by_identifier.json()["link"] if link["relation"] == "next"]
        rest = await client.get(following)
        seen = {entry["resource"]["id"] for page in (by_identifier, rest) for entry in page.json()["entry"]}
        assert seen == set(made.values())


async def test_a_search_needs_a_patient_and_a_status_that_exists(world):
    person = await world.person()
    async with world.client(world.people["doctor"]) as client:
        without = await client.get("/fhir/DocumentReference", params={"type": "11504-8"})
        wrong = await client.get("/fhir/DocumentReference", params={"patient": str(person.id), "status": "final"})
        nobody = await client.get("/fhir/DocumentReference", params={"patient.identifier": "urn:oid:2.999|1"})
        two = await client.get(
            "/fhir/DocumentReference", params={"patient": str(person.id), "_id": uuid7().hex + uuid7().hex}
        )
    assert (without.status_code, wrong.status_code) == (400, 400)
    assert (nobody.status_code, nobody.json().get("entry")) == (200, None)
    assert (two.status_code, two.json().get("entry")) == (200, None)


async def test_binary_as_fhir_for_who_asks_for_it(world):
    person = await world.person()
    content = pdf()
    async with world.client(world.people["hospital"]) as client:
        body = orjson.dumps(reference(person, content, "application/pdf", type_="11504-8"))
        made = (await client.post("/fhir/DocumentReference", content=body, headers=FHIR)).json()
        url = made["content"][0]["attachment"]["url"]
        answer = await client.get(url, headers={"Accept": "application/fhir+json"})
        assert base64.b64decode(answer.json()["data"]) == content
        assert check(answer.content, expect="Binary").ok
        unchanged = await client.get(url, headers={"If-None-Match": f'"{hashlib.sha256(content).hexdigest()}"'})
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        assert (await client.get(f"/fhir/Bundle/{made['id']}")).status_code == 404


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
async def test_a_token_does_what_its_scopes_say(world, scopes, method, path, status):
    person = await world.person()
    path = path.format(person=person.id, id=uuid7().hex + uuid7().hex)
    async with world.client(world.people["hospital"], scopes) as client:
        answer = await client.request(method, path, content=b"{}", headers=FHIR)
    assert answer.status_code == status


async def test_without_a_token_nothing_is_there(world):
    async with world.client(world.people["hospital"]) as client:
        for path in ("/fhir/DocumentReference", "/fhir/List", f"/fhir/Binary/{uuid7().hex}{uuid7().hex}"):
            assert (await client.get(path, headers={"Authorization": ""})).status_code == 401


@pytest.mark.parametrize(
    ("change", "status", "place"),
    [
        ({"subject": {"reference": "Patient/nobody"}}, 422, "DocumentReference.subject"),
        ({"subject": {"reference": f"Patient/{uuid7()}"}}, 422, "DocumentReference.subject"),
        (
            {"subject": {"identifier": {"system": "urn:oid:1.3.182.4.4", "value": "1980051712345"}}},
            422,
            "DocumentReference.subject",
        ),
        ({"status": "superseded"}, 422, "DocumentReference.status"),
        ({"content": []}, 422, "DocumentReference.content"),
        (
            {"content": [{"attachment": {"contentType": "text/plain"}}]},
            422,
            "DocumentReference.content[0].attachment.data",
        ),
        ({"type": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}}, 422, "DocumentReference.type"),
        ({"type": {"coding": [{"system": "urn:oid:2.999", "code": "letter"}]}}, 422, "DocumentReference.type"),
        ({"context": {"period": {"start": "2199-01-01"}}}, 422, "DocumentReference.context.period.start"),
        (
            {
                "securityLabel": [
                    {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}]}
                ]
            },
            422,
            "DocumentReference.securityLabel",
        ),
        (
            {"relatesTo": [{"code": "replaces", "target": {"reference": f"DocumentReference/{uuid7().hex * 2}"}}]},
            404,
            None,
        ),
        ({"resourceType": "Patient"}, 422, None),
    ],
)
async def test_a_wrong_reference_is_refused_with_its_place(world, change, status, place):
    person = await world.person()
    body = reference(person, pdf(), "application/pdf", type_="11504-8") | change
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
    issue = answer.json()["issue"][0]
    assert (answer.status_code, issue.get("expression", [None])[0] if place else None) == (status, place), answer.text
    assert "entry" not in found.json()


@pytest.mark.parametrize("element", ["size", "hash"])
async def test_size_and_hash_must_be_those_of_the_bytes(world, element):
    person = await world.person()
    body = reference(person, pdf(), "application/pdf", type_="11504-8")
    attachment = body["content"][0]["attachment"]
    attachment[element] = {"size": 17, "hash": base64.b64encode(bytes(20)).decode()}[element]
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == [f"DocumentReference.content[0].attachment.{element}"]


async def test_an_unknown_type_is_refused_with_those_that_are_known(world):
    person = await world.person()
    body = orjson.dumps(reference(person, pdf(), "application/pdf", type_="8867-4"))
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=body, headers=FHIR)
    said = answer.json()["issue"][0]["diagnostics"]
    assert "8867-4" in said
    assert "18842-5 (Discharge summary)" in said


async def test_every_problem_of_a_fhir_document_is_listed(world):
    person = await world.person()
    document = fhir_document(person, status="done", date="tomorrow")
    body = orjson.dumps(reference(person, orjson.dumps(document), "application/fhir+json"))
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=body, headers=FHIR)
    places = {issue["expression"][0] for issue in answer.json()["issue"]}
    assert answer.status_code == 422
    assert any(place.endswith(".status") for place in places)
    assert any(place.endswith(".date") for place in places)


@pytest.mark.parametrize(
    "edit",
    [
        lambda bundle: bundle | {"type": "collection"},
        lambda bundle: bundle | {"entry": bundle["entry"][1:]},
        lambda bundle: bundle | {"entry": bundle["entry"][:1]},
        lambda bundle: bundle | {"entry": bundle["entry"][:2]},
        lambda bundle: (
            bundle
            | {
                "entry": [
                    *bundle["entry"],
                    {
                        "fullUrl": uuid7().urn,
                        "resource": {
                            "resourceType": "Observation",
                            "status": "final",
                            "code": {"text": "a stray"},
                        },
                        "request": {"method": "POST", "url": "Observation"},
                    },
                ]
            }
        ),
    ],
)
async def test_a_transaction_of_another_shape_is_refused(world, edit):
    person = await world.person()
    bundle = orjson.loads(transaction(person, ({"type": _loinc("11504-8")}, pdf(), "application/pdf")))
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=orjson.dumps(edit(bundle)), headers=FHIR)
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
    assert answer.status_code == 422
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "entry" not in found.json()


async def test_a_transaction_of_two_patients_is_refused(world):
    one, other = await world.person(), await world.person()
    body = transaction(
        one,
        ({"type": _loinc("11504-8")}, pdf(), "application/pdf"),
        subject={"reference": f"Patient/{other.id}"},
    )
    async with world.client(world.people["hospital"]) as client:
        assert (await client.post("/fhir", content=body, headers=FHIR)).status_code == 422


async def test_the_patient_may_come_along(world):
    person = await world.person(identifiers=(Identifier("urn:oid:2.999.7", uuid7().hex),))
    url = uuid7().urn
    identifier = {"system": person.identifiers[0].system, "value": person.identifiers[0].value}
    sent = orjson.loads(
        transaction(person, ({"type": _loinc("11504-8")}, pdf(), "application/pdf"), subject={"reference": url})
    )
    sent["entry"][1]["resource"]["subject"] = {"reference": url}
    patient = {"resourceType": "Patient", "identifier": [identifier]}
    sent["entry"].append({"fullUrl": url, "resource": patient, "request": {"method": "POST", "url": "Patient"}})
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=orjson.dumps(sent), headers=FHIR)
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
    assert answer.json()["entry"][-1]["response"]["location"] == f"Patient/{person.id}"
    assert len(found.json()["entry"]) == 1


async def test_the_author_named_by_identifier_is_the_author(world):
    person = await world.person()
    surgeon = world.people["surgeon_entry"]
    identifier = {"system": surgeon.identifiers[0].system, "value": surgeon.identifiers[0].value}
    body = reference(person, pdf(), "application/pdf", type_="11504-8", author=[{"identifier": identifier}])
    async with world.client(world.people["hospital"]) as client:
        made = (await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)).json()
    assert made["author"][0] == {"reference": f"Practitioner/{surgeon.id}", "display": "Marc Kieffer"}
    assert made["custodian"]["reference"] == f"Organization/{world.people['hospital'].id}"


async def test_remarks_are_in_the_answer(world):
    person = await world.person()
    foreign = orjson.dumps(fhir_document())
    async with world.client(world.people["hospital"]) as client:
        body = transaction(person, ({}, foreign, "application/fhir+json"))
        answer = (await client.post("/fhir", content=body, headers=FHIR)).json()
        entry = answer["entry"][1]
        assert entry["response"]["outcome"]["issue"][0]["severity"] == "warning"
        [remark] = entry["resource"]["extension"]
        assert remark["valueCoding"]["code"] == "subject-not-confirmed"


async def test_bodies_that_are_too_large_or_of_another_kind_are_refused_early(world):
    async with world.client(world.people["hospital"]) as client:
        declared = await client.post("/fhir", content=b"{}", headers=FHIR | {"Content-Length": str(200 * 1024 * 1024)})
        xml = await client.post("/fhir", content=b"<Bundle/>", headers={"Content-Type": "application/fhir+xml"})

        async def endless():
            for _ in range(mhd_api.MAX_BUNDLE // 1_000_000 + 30):
                yield bytes(1_000_000)

        streamed = await client.post("/fhir", content=endless(), headers=FHIR)
    assert [answer.status_code for answer in (declared, xml, streamed)] == [413, 415, 413]


async def test_only_a_patient_hides_and_what_is_hidden_is_labelled(world):
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


def test_the_capabilities_name_every_search_parameter():
    by_type = {entry["type"]: entry for entry in mhd_api.capabilities()}
    assert {"DocumentReference", "List", "Binary", "Bundle", "Observation", "Provenance"} <= set(by_type)
    names = {parameter["name"] for parameter in by_type["DocumentReference"]["searchParam"]}
    assert {"patient", "patient.identifier", "type", "status", "period"} <= names


def _loinc(code: str) -> dict:
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def made_label() -> str:
    return "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
