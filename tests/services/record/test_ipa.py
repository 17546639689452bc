"""International Patient Access by the software of a doctor: the read of every profile, and the required searches.

Every response is valid R4 and holds the must-support elements of its profile.

Source: IPA 1.1.0, CapabilityStatement ipa-server, and its profiles.
"""

import base64
from datetime import timedelta

import orjson
import pytest

from esante.core.fhir import check, compile_path
from esante.core.storage import uuid7
from esante.identity.access import requester_of
from tests.support.clinical_requests import app_client

_HOUR = timedelta(hours=1)
V2 = "http://terminology.hl7.org/CodeSystem"
LOINC, RXNORM = "http://loinc.org", "http://www.nlm.nih.gov/research/umls/rxnorm"


def concept(system: str, code: str) -> dict:
    return {"coding": [{"system": system, "code": code}], "text": code}


CONFIRMED = {
    "AllergyIntolerance": {
        "clinicalStatus": concept(f"{V2}/allergyintolerance-clinical", "active"),
        "verificationStatus": concept(f"{V2}/allergyintolerance-verification", "confirmed"),
    },
    "Condition": {
        "clinicalStatus": concept(f"{V2}/condition-clinical", "active"),
        "verificationStatus": concept(f"{V2}/condition-ver-status", "confirmed"),
    },
}
OTHER = {
    "AllergyIntolerance": {"clinicalStatus": concept(f"{V2}/allergyintolerance-clinical", "inactive")},
    "Condition": {
        "clinicalStatus": concept(f"{V2}/condition-clinical", "resolved"),
        "verificationStatus": concept(f"{V2}/condition-ver-status", "provisional"),
        "category": [concept(f"{V2}/condition-category", "encounter-diagnosis")],
        "code": concept("http://snomed.info/sct", "38341003"),
        "onsetDateTime": "2001-02-03",
    },
    "Immunization": {"status": "not-done", "occurrenceDateTime": "2001-02-03"},
    "MedicationRequest": {"status": "completed", "intent": "plan", "authoredOn": "2001-02-03"},
    "MedicationStatement": {"status": "completed"},
    "Observation": {
        "status": "amended",
        "category": [concept(f"{V2}/observation-category", "vital-signs")],
        "code": concept(LOINC, "8867-4"),
        "effectiveDateTime": "2001-02-03",
        "valueQuantity": {"value": 64, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    },
}
"""The elements in which a second resource of each type differs, so that no search finds both."""


def resources(author: str, medication: str, encounter: str) -> dict[str, dict]:
    """Return a resource of each type with all of its must-support elements."""
    return {
        "AllergyIntolerance": {**CONFIRMED["AllergyIntolerance"], "code": concept(RXNORM, "7980")},
        "Condition": {
            **CONFIRMED["Condition"],
            "category": [concept(f"{V2}/condition-category", "problem-list-item")],
            "code": concept("http://snomed.info/sct", "44054006"),
            "onsetDateTime": "2020-05-06",
        },
        "Immunization": {
            "status": "completed",
            "vaccineCode": concept("http://hl7.org/fhir/sid/cvx", "207"),
            "occurrenceDateTime": "2024-03-04",
        },
        "MedicationRequest": {
            "status": "active",
            "intent": "order",
            "reportedBoolean": False,
            "medicationReference": {"reference": medication},
            "encounter": {"reference": encounter},
            "authoredOn": "2024-03-04",
            "requester": {"reference": author},
            "dosageInstruction": [{"text": "1-0-1"}],
        },
        "MedicationStatement": {
            "status": "active",
            "statusReason": [{"text": "pain"}],
            "medicationReference": {"reference": medication},
            "context": {"reference": encounter},
            "effectivePeriod": {"start": "2024-03-04"},
            "informationSource": {"reference": author},
            "dosage": [{"text": "1-0-1"}],
        },
        "Observation": {
            "status": "final",
            "category": [concept(f"{V2}/observation-category", "laboratory")],
            "code": concept(LOINC, "718-7"),
            "effectiveDateTime": "2024-03-04T08:00:00Z",
            "valueQuantity": {"value": 14.1, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
        },
    }


MUST_SUPPORT = {
    "Patient": "identifier identifier.value active name gender birthDate",
    "AllergyIntolerance": "clinicalStatus verificationStatus code patient",
    "Condition": "clinicalStatus verificationStatus category code subject",
    "DocumentReference": "status type category subject date author content content.attachment.contentType"
    " content.attachment.url content.format context context.period",
    "Immunization": "status vaccineCode patient occurrence",
    "Medication": "code",
    "MedicationRequest": "status intent reported medication subject encounter authoredOn requester dosageInstruction"
    " dosageInstruction.text",
    "MedicationStatement": "status statusReason medication subject context effective informationSource dosage dosage.text",
    "Observation": "status category code subject effective value",
    "Practitioner": "name",
    "PractitionerRole": "practitioner",
}
"""The must-support elements of the profiles."""

SEARCHES = {
    "AllergyIntolerance": ["", "clinical-status=active"],
    "Condition": [
        "",
        "clinical-status=active",
        "category=problem-list-item",
        "category=problem-list-item&clinical-status=active",
        "code=http://snomed.info/sct|44054006",
        "onset-date=2020",
        "verification-status=confirmed",
    ],
    "DocumentReference": [
        "",
        "_id={id}",
        "category={category}",
        "category={category}&date=ge2020",
        "type=http://loinc.org|11488-4",
        "contenttype=text/plain",
        "status=current",
        "type=http://loinc.org|11488-4&date=ge2020",
        "type=http://loinc.org|11488-4&period=ge2020",
    ],
    "Immunization": ["", "date=2024-03-04", "status=completed"],
    "MedicationRequest": [
        "",
        "intent=order",
        "intent=order&authoredon=ge2024",
        "intent=order&status=active",
    ],
    "MedicationStatement": ["", "status=active"],
    "Observation": [
        "category=laboratory",
        "code=http://loinc.org|718-7",
        "category=laboratory&date=ge2024-03&date=lt2024-04",
        "category=laboratory&status=final",
        "code=718-7&date=2024-03-04",
    ],
}
"""Every search that a server shall or should support, together with `patient`."""


class Care:
    """The state of a doctor's software: an HTTP client, a person, and an id of each type."""

    def __init__(self, http, person, ids):
        self.http, self.person, self.ids = http, person, ids

    async def get(self, address: str) -> dict:
        answer = await self.http.get(f"/fhir/{address}", headers={"Prefer": "handling=strict"})
        assert answer.status_code == 200, (address, answer.text)
        found = check(answer.content, invariants=True)
        assert found.ok, (address, found.issues)
        return answer.json()

    async def find(self, address: str, mode: str = "match") -> list[dict]:
        entries = (await self.get(address)).get("entry", [])
        return [entry["resource"] for entry in entries if entry["search"]["mode"] == mode]


@pytest.fixture(scope="module")
async def care(world, dsn, tmp_path_factory):
    person, doctor = await world.person(), world.people["doctor_entry"]
    surgeon = world.people["surgeon_entry"]
    await world.into_circle(person, doctor)
    async with app_client(
        world, dsn, tmp_path_factory.mktemp("ipa"), world.people["hospital"], "system/*.cruds"
    ) as hospital:
        ids = await send_resources(hospital, person, f"Practitioner/{doctor.id}")
        ids |= {
            "Patient": str(person.id),
            "Practitioner": str(doctor.id),
            "PractitionerRole": str(surgeon.roles[0].id),
        }
        token = await world.access.issue_token(requester_of(doctor), frozenset(["user/*.rs"]), _HOUR)
        hospital.headers["Authorization"] = f"Bearer {token}"
        yield Care(hospital, person, ids)


async def send_resources(hospital, person, author: str) -> dict[str, str]:
    """Send resources of a person in one transaction, and documents; return the ids of the first of each type."""
    medication, encounter = uuid7().urn, uuid7().urn
    samples = resources(author, medication, encounter)
    entries = [
        (medication, {"resourceType": "Medication", "code": concept(RXNORM, "161")}),
        (encounter, {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}),
        *((uuid7().urn, {"resourceType": type_, **resource}) for type_, resource in samples.items()),
        *((uuid7().urn, {"resourceType": type_, **samples[type_], **other}) for type_, other in OTHER.items()),
    ]
    for _, resource in entries:
        owner = "patient" if resource["resourceType"] in ("AllergyIntolerance", "Immunization") else "subject"
        if resource["resourceType"] != "Medication":
            resource[owner] = {"reference": f"Patient/{person.id}"}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for url, one in entries
        ],
    }
    answer = await hospital.post("/fhir", content=orjson.dumps(bundle))
    assert answer.status_code == 200, answer.text
    ids: dict[str, str] = {}
    for entry in answer.json()["entry"]:
        type_, id_, *_ = entry["response"]["location"].split("/")
        ids.setdefault(type_, id_)
    ids["DocumentReference"] = await deposit_document(hospital, person, "11488-4", "text/plain", b"Consultation.")
    await deposit_document(hospital, person, "11502-2", "application/fhir+json", None)
    return ids


async def deposit_document(hospital, person, type_: str, media_type: str, content: bytes | None) -> str:
    """Deposit a document, without content an empty laboratory report; return its id."""
    content = content or orjson.dumps(empty_report(person))
    reference = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": type_}]},
        "subject": {"reference": f"Patient/{person.id}"},
        "content": [{"attachment": {"contentType": media_type, "data": base64.b64encode(content).decode()}}],
        "context": {"period": {"start": "2024-03-04"}},
    }
    answer = await hospital.post("/fhir/DocumentReference", content=orjson.dumps(reference))
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def empty_report(person) -> dict:
    """Return a FHIR document without sections."""
    subject, author = uuid7().urn, uuid7().urn
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": concept(LOINC, "11502-2"),
        "subject": {"reference": subject},
        "author": [{"reference": author}],
        "date": "2024-03-04",
        "title": "Report",
    }
    patient = {"resourceType": "Patient", "name": [{"family": person.family}]}
    resources = {uuid7().urn: composition, subject: patient, author: {"resourceType": "Organization", "name": "L"}}
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": uuid7().urn},
        "timestamp": "2024-03-04T08:00:00Z",
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in resources.items()],
    }


@pytest.mark.parametrize("type_", MUST_SUPPORT)
async def test_read_returns_must_support_elements(care, type_):
    resource = await care.get(f"{type_}/{care.ids[type_]}")
    assert resource["id"] == care.ids[type_]
    absent = [
        path for path in MUST_SUPPORT[type_].split() if not compile_path(f"{type_}.{path}", type_).evaluate(resource)
    ]
    assert absent == []


def is_compiled(resource) -> bool:
    """Whether it is a document that the platform compiles beside the tests: the vaccination history."""
    return resource.get("type", {}).get("coding", [{}])[0].get("code") == "11369-6"


@pytest.mark.parametrize(("type_", "query"), [(type_, query) for type_, found in SEARCHES.items() for query in found])
async def test_search_finds_matching_resource_only(care, type_, query):
    mine = await care.get(f"{type_}/{care.ids[type_]}")
    category = mine["category"][0]["coding"][0]["code"] if type_ == "DocumentReference" else ""
    query = query.format(id=care.ids[type_], category=category)
    for named in (f"patient={care.person.id}", f"patient=Patient/{care.person.id}"):
        found = [one for one in await care.find(f"{type_}?{named}&{query}") if not is_compiled(one)]
        if query in ("", "status=current"):
            assert mine in found
            assert len(found) == 2
        else:
            assert found == [mine]
        assert (await care.find(f"{type_}?{named}&{query}&_lastUpdated=lt2001")) == []


@pytest.mark.parametrize(("type_", "count"), [("MedicationRequest", 1), ("MedicationStatement", 1)])
async def test_search_includes_medications(care, type_, count):
    included = await care.find(f"{type_}?patient={care.person.id}&_include={type_}:medication", "include")
    assert [one["id"] for one in included] == [care.ids["Medication"]] * count


@pytest.mark.parametrize("type_", [type_ for type_ in SEARCHES if type_ != "DocumentReference"])
async def test_search_includes_provenance(care, type_):
    included = await care.find(f"{type_}?patient={care.person.id}&_revinclude=Provenance:target", "include")
    targets = {target["reference"].partition("/_history")[0] for one in included for target in one["target"]}
    assert f"{type_}/{care.ids[type_]}" in {target.removeprefix("http://esante.test/fhir/") for target in targets}
    assert {one["resourceType"] for one in included} == {"Provenance"}


@pytest.mark.parametrize(
    "query",
    ["_id={id}", "identifier={identifier}", "birthdate=1980-05-17&family={family}"],
)
async def test_search_finds_patient(care, query):
    one = care.person.identifiers[0]
    query = query.format(id=care.person.id, identifier=f"{one.system}|{one.value}", family=care.person.family)
    assert str(care.person.id) in [found["id"] for found in await care.find(f"Patient?{query}")]


async def test_patient_search_by_family_and_gender_is_refused(care):
    """IPA has this search, but it would reveal everybody of that name to a client that knows no more."""
    answer = await care.http.get(f"/fhir/Patient?family={care.person.family}&gender=female")
    assert answer.status_code == 400
    assert "birthdate" in answer.json()["issue"][0]["diagnostics"]


async def test_docref_returns_documents(care):
    found = await care.find(f"DocumentReference/$docref?patient={care.person.id}")
    assert care.ids["DocumentReference"] in [one["id"] for one in found]
    [one] = await care.find(f"DocumentReference/$docref?patient={care.person.id}&type={LOINC}|11488-4")
    content = await care.http.get(one["content"][0]["attachment"]["url"])
    assert content.content == b"Consultation."


async def test_requester_without_access_finds_nothing(care, world):
    token = await world.access.issue_token(world.people["other"], frozenset(["user/*.rs"]), _HOUR)
    other = {"Authorization": f"Bearer {token}"}
    for type_ in SEARCHES:
        found = await care.http.get(f"/fhir/{type_}?patient={care.person.id}", headers=other)
        assert (found.status_code, found.json().get("entry")) == (200, None)
        read = await care.http.get(f"/fhir/{type_}/{care.ids[type_]}", headers=other)
        assert read.status_code == 404
