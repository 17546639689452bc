"""Parsing of submissions: ITI-65 and ITI-105."""

import orjson
import pytest

from esante.core.storage import uuid7
from esante.identity.directory import Identifier
from tests.support.record import FHIR, loinc, pdf, reference, transaction


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
async def test_invalid_reference_is_refused_with_place(world, change, status, place):
    person = await world.person()
    body = reference(person, pdf(), "application/pdf", type_="11504-8") | change
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
    issue = answer.json()["issue"][0]
    assert (answer.status_code, issue.get("expression", [None])[0] if place else None) == (status, place), answer.text
    assert "entry" not in found.json()


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
async def test_transaction_of_other_shape_is_refused(world, edit):
    person = await world.person()
    bundle = orjson.loads(transaction(person, ({"type": loinc("11504-8")}, pdf(), "application/pdf")))
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=orjson.dumps(edit(bundle)), headers=FHIR)
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
    assert answer.status_code == 422
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "entry" not in found.json()


async def test_transaction_of_two_patients_is_refused(world):
    one, other = await world.person(), await world.person()
    body = transaction(
        one,
        ({"type": loinc("11504-8")}, pdf(), "application/pdf"),
        subject={"reference": f"Patient/{other.id}"},
    )
    async with world.client(world.people["hospital"]) as client:
        assert (await client.post("/fhir", content=body, headers=FHIR)).status_code == 422


async def test_patient_in_transaction_is_resolved(world):
    person = await world.person(identifiers=(Identifier("urn:oid:2.999.7", uuid7().hex),))
    url = uuid7().urn
    identifier = {"system": person.identifiers[0].system, "value": person.identifiers[0].value}
    sent = orjson.loads(
        transaction(person, ({"type": loinc("11504-8")}, pdf(), "application/pdf"), subject={"reference": url})
    )
    sent["entry"][1]["resource"]["subject"] = {"reference": url}
    patient = {"resourceType": "Patient", "identifier": [identifier]}
    sent["entry"].append({"fullUrl": url, "resource": patient, "request": {"method": "POST", "url": "Patient"}})
    async with world.client(world.people["hospital"]) as client:
        answer = await client.post("/fhir", content=orjson.dumps(sent), headers=FHIR)
        found = await client.get("/fhir/DocumentReference", params={"patient": str(person.id)})
    assert answer.json()["entry"][-1]["response"]["location"] == f"Patient/{person.id}"
    assert len(found.json()["entry"]) == 1


async def test_author_is_resolved_by_identifier(world):
    person = await world.person()
    surgeon = world.people["surgeon_entry"]
    identifier = {"system": surgeon.identifiers[0].system, "value": surgeon.identifiers[0].value}
    body = reference(person, pdf(), "application/pdf", type_="11504-8", author=[{"identifier": identifier}])
    async with world.client(world.people["hospital"]) as client:
        made = (await client.post("/fhir/DocumentReference", content=orjson.dumps(body), headers=FHIR)).json()
    assert made["author"][0] == {"reference": f"Practitioner/{surgeon.id}", "display": "Marc Kieffer"}
    assert made["custodian"]["reference"] == f"Organization/{world.people['hospital'].id}"
