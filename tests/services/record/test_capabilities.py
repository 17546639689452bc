"""The CapabilityStatement says what works: requests are made of it, and each is tried. IPA's searches are among them."""

import re
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import orjson
import pytest

from esante.app import create_app
from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.settings import Settings

from .conftest import BASE, FHIR
from .test_opening import deposit, laboratory_report

#: What a resource of each type cannot be without, beside the patient.
BODIES: dict[str, dict] = {
    "AllergyIntolerance": {},
    "CarePlan": {"status": "active", "intent": "plan"},
    "CareTeam": {},
    "Claim": {
        "status": "active",
        "type": {"text": "fee note"},
        "use": "claim",
        "created": "2024-01-01",
        "provider": {"display": "Dr A"},
        "priority": {"text": "normal"},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "CNS"}}],
    },
    "ClinicalImpression": {"status": "completed"},
    "Composition": {
        "status": "final",
        "type": {"text": "letter"},
        "date": "2024-01-01",
        "author": [{"display": "Dr A"}],
        "title": "Letter",
    },
    "Condition": {},
    "Coverage": {"status": "active", "payor": [{"display": "CNS"}]},
    "Device": {},
    "DeviceUseStatement": {"status": "active", "device": {"display": "pacemaker"}},
    "DiagnosticReport": {"status": "final", "code": {"text": "report"}},
    "Encounter": {"status": "finished", "class": {"code": "AMB"}},
    "ExplanationOfBenefit": {
        "status": "active",
        "type": {"text": "fee note"},
        "use": "claim",
        "created": "2024-01-01",
        "insurer": {"display": "CNS"},
        "provider": {"display": "Dr A"},
        "outcome": "complete",
        "insurance": [{"focal": True, "coverage": {"display": "CNS"}}],
    },
    "FamilyMemberHistory": {"status": "completed", "relationship": {"text": "mother"}},
    "Flag": {"status": "active", "code": {"text": "falls"}},
    "Goal": {"lifecycleStatus": "active", "description": {"text": "walk"}},
    "ImagingStudy": {"status": "available"},
    "Immunization": {"status": "completed", "vaccineCode": {"text": "MMR"}, "occurrenceDateTime": "2024-01-01"},
    "ImmunizationRecommendation": {
        "date": "2024-01-01",
        "recommendation": [{"forecastStatus": {"text": "due"}, "targetDisease": {"text": "measles"}}],
    },
    "Media": {"status": "completed", "content": {"title": "picture"}},
    "Medication": {},
    "MedicationAdministration": {
        "status": "completed",
        "medicationCodeableConcept": {"text": "aspirin"},
        "effectiveDateTime": "2024-01-01",
    },
    "MedicationDispense": {"status": "completed", "medicationCodeableConcept": {"text": "aspirin"}},
    "MedicationRequest": {"status": "active", "intent": "order", "medicationCodeableConcept": {"text": "aspirin"}},
    "MedicationStatement": {"status": "active", "medicationCodeableConcept": {"text": "aspirin"}},
    "Observation": {"status": "final", "code": {"text": "weight"}},
    "Procedure": {"status": "completed"},
    "RelatedPerson": {},
    "RiskAssessment": {"status": "final"},
    "ServiceRequest": {"status": "active", "intent": "order"},
    "Specimen": {},
}
VALUES = {
    "token": "a|b,c",
    "string": "a",
    "date": "ge2020",
    "number": "gt1",
    "quantity": "lt5|http://unitsofmeasure.org|mg",
    "uri": "urn:x",
    "composite": "a$b",
    "reference": "Observation/" + "0" * 64,
}


@asynccontextmanager
async def app_client(world, dsn, folder, requester, scopes: str):
    """A client of the whole application over the world's database."""
    app = create_app(Settings(data=folder, database_url=dsn, public_url=BASE))
    token = await world.access.issue_token(requester, frozenset(scopes.split()), timedelta(hours=1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url=BASE,
            headers={"Authorization": f"Bearer {token}"} | FHIR,
        ) as client,
    ):
        yield client


@pytest.fixture(scope="module")
async def client(world, dsn, tmp_path_factory):
    """A hospital's software at the whole application."""
    folder = tmp_path_factory.mktemp("app")
    async with app_client(world, dsn, folder, world.people["hospital"], "system/*.cruds") as client:
        yield client


@pytest.fixture(scope="module")
async def statement(client):
    """What the platform says it can."""
    answer = await client.get("/fhir/metadata", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert check(answer.content).ok, check(answer.content).issues
    return {one["type"]: one for one in answer.json()["rest"][0]["resource"]}


@pytest.fixture(scope="module")
async def person(world):
    return await world.person()


def body(type_: str, person) -> dict:
    """A resource of a person with what it must have."""
    from esante.services.record import CLINICAL

    owner = CLINICAL[type_].person
    whose = {owner: {"reference": f"Patient/{person.id}"}} if owner else {}
    return {"resourceType": type_} | whose | BODIES[type_]


def test_every_clinical_type_is_tried():
    from esante.services.record import CLINICAL

    assert set(BODIES) == set(CLINICAL)


async def test_what_a_type_is_said_to_do_it_does(client, statement, person):
    for type_, told in statement.items():
        if type_ not in BODIES:
            continue
        assert {one["code"] for one in told["interaction"]} == {
            "create",
            "read",
            "vread",
            "update",
            "patch",
            "delete",
            "history-instance",
            "history-type",
            "search-type",
        }
        given = body(type_, person)
        if type_ == "Medication":
            entry = {"resource": given, "request": {"method": "POST", "url": type_}}
            other = {"resource": body("Observation", person), "request": {"method": "POST", "url": "Observation"}}
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry, other]}
            answer = await client.post("/fhir", content=orjson.dumps(bundle))
            made = (await client.get("/fhir/" + answer.json()["entry"][0]["response"]["location"])).json()
        else:
            created = await client.post(f"/fhir/{type_}", content=orjson.dumps(given))
            assert created.status_code == 201, (type_, created.text)
            made = created.json()
        url = f"/fhir/{type_}/{made['id']}"
        assert (await client.get(url)).json() == made
        assert (await client.get(f"{url}/_history/1")).json() == made
        if type_ != "Medication":  # it says nothing of whose it is
            updated = await client.put(url, content=orjson.dumps(given | {"id": made["id"], "language": "fr"}))
            assert updated.status_code == 200, (type_, updated.text)
        operations = [{"op": "add", "path": "/language", "value": "de"}]
        patch = {"Content-Type": "application/json-patch+json"}
        patched = await client.patch(url, content=orjson.dumps(operations), headers=patch)
        assert patched.json()["language"] == "de", (type_, patched.text)
        for history in (f"{url}/_history", f"/fhir/{type_}/_history?patient={person.id}"):
            assert len((await client.get(history)).json()["entry"]) >= 2
        found = (await client.get(f"/fhir/{type_}?patient={person.id}&_id={made['id']}")).json()
        assert [one["resource"]["id"] for one in found["entry"]] == [made["id"]]
        assert (await client.delete(url)).status_code == 204


async def test_every_search_parameter_with_every_modifier_is_understood(client, statement, person):
    strict = {"Prefer": "handling=strict"}
    for type_ in BODIES:
        pairs = []
        for told in statement[type_]["searchParam"]:
            names = [told["name"]]
            listed = re.search(r"Modifiers: ([^.]*)\.", told.get("documentation", ""))
            names += [f"{told['name']}:{one}" for one in listed[1].split(", ")] if listed else []
            pairs += [(name, _value(told, name)) for name in names if not name.endswith(":[type]")]
        for start in range(0, len(pairs), 20):
            params = [("patient", str(person.id)), *pairs[start : start + 20]]
            answer = await client.get(f"/fhir/{type_}", params=params, headers=strict)
            assert answer.status_code == 200, (type_, params, answer.text)
        assert (await client.get(f"/fhir/{type_}?patient={person.id}&no-such=1", headers=strict)).status_code == 400


def _value(told: dict, name: str) -> str:
    modifier = name.partition(":")[2]
    if modifier == "missing":
        return "true"
    if modifier in ("in", "not-in"):
        return "http://hl7.org/fhir/ValueSet/observation-status"
    if modifier == "of-type":
        return "http://terminology.hl7.org/CodeSystem/v2-0203|MR|1"
    if modifier == "identifier":
        return "urn:x|1"
    if told["type"] == "composite":
        return "a$2020" if "date" in told["name"] else "a$5" if "quantity" in told["name"] else "a$b"
    return VALUES[told["type"]]


async def test_everything_that_may_be_included_may_be_asked_for(client, statement, person):
    for type_ in BODIES:
        for name, values in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
            told = statement[type_][values]
            for start in range(0, len(told), 15):
                params = [("patient", str(person.id)), *((name, value) for value in told[start : start + 15])]
                answer = await client.get(f"/fhir/{type_}", params=params)
                assert answer.status_code == 200, (type_, params, answer.text)


async def test_other_resources_are_searched_as_they_are_told(client, statement, person):
    values = {
        "patient": str(person.id),
        "patient.identifier": f"{person.identifiers[0].system}|{person.identifiers[0].value}",
        "identifier": f"{person.identifiers[0].system}|{person.identifiers[0].value}",
        "_id": person.id.hex + uuid7().hex,
        "author.identifier": "urn:x|1",
        "birthdate": "1980-05-17",
        "family": "Weber",
        "status": "current",
    }
    for type_ in ("DocumentReference", "List", "Practitioner", "PractitionerRole", "Organization"):
        for told in statement[type_].get("searchParam", ()):
            params = {told["name"]: values.get(told["name"], VALUES[told["type"]].replace("ge2020", "2020"))}
            if type_ in ("DocumentReference", "List"):
                params["patient"] = str(person.id)
            if params.get("type") or params.get("specialty"):
                params = {name: value.partition(",")[0] for name, value in params.items()}
            answer = await client.get(f"/fhir/{type_}", params=params)
            assert answer.status_code == 200, (type_, params, answer.text)


async def test_operations_are_where_they_are_told(client, statement, person, world):
    document = await deposit(client, person, laboratory_report(person, ("1", 14.1)))
    told = {name["name"] for one in statement.values() for name in one.get("operation", ())}
    assert {"everything", "document", "docref"} <= told
    everything = (await client.get(f"/fhir/Patient/{person.id}/$everything?_count=200")).json()
    types = {one["resource"]["resourceType"] for one in everything["entry"]}
    assert {"Patient", "Composition", "Observation", "Specimen", "Practitioner"} <= types
    [composition] = [
        one["resource"] for one in everything["entry"] if one["resource"]["resourceType"] == "Composition"
    ]
    assert (await client.get(f"/fhir/Composition/{composition['id']}/$document")).status_code == 200
    parameters = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "valueId": str(person.id)},
            {"name": "start", "valueDate": "2024-03-01"},
            {"name": "type", "valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]}},
        ],
    }
    for answer in (
        await client.get(f"/fhir/DocumentReference/$docref?patient={person.id}&end=2024-04-01"),
        await client.post("/fhir/DocumentReference/$docref", content=orjson.dumps(parameters)),
    ):
        assert [one["resource"]["id"] for one in answer.json()["entry"]] == [document]
    assert (await client.get(f"/fhir/DocumentReference/$docref?patient={person.id}&x=1")).status_code == 400


#: IPA 1.1, CapabilityStatement ipa-server: what a server has to search, and the combinations that it should.
IPA = {
    "AllergyIntolerance": ["", "clinical-status=active"],
    "Condition": [
        "",
        "clinical-status=active",
        "category=x",
        "category=x&clinical-status=active",
        "code=1",
        "onset-date=2020",
    ],
    "DocumentReference": [
        "",
        "_id={id}",
        "category=x",
        "category=x&date=2020",
        "type=http://loinc.org|11502-2",
        "contenttype=application/pdf",
        "status=current",
        "type=x&date=ge2020",
        "type=x&period=ge2020",
    ],
    "Immunization": ["", "date=ge2020", "status=completed"],
    "MedicationRequest": [
        "",
        "intent=order",
        "intent=order,plan&authoredon=ge2020",
        "intent=order&status=active",
        "_include=MedicationRequest:medication",
        "_revinclude=Provenance:target",
    ],
    "MedicationStatement": ["", "status=active", "_include=MedicationStatement:medication"],
    "Observation": [
        "",
        "category=laboratory",
        "code=1-8",
        "category=laboratory&date=ge2020",
        "category=x&status=final",
        "code=1-8&date=2020",
    ],
}


async def test_a_patients_app_finds_what_ipa_says(world, dsn, tmp_path, person):
    scopes = " ".join(f"patient/{type_}.rs" for type_ in (*IPA, "Medication", "Provenance", "Practitioner", "Patient"))
    strict = {"Prefer": "handling=strict"}
    async with app_client(world, dsn, tmp_path, requester_of(person), scopes) as app:
        patient = (await app.get(f"/fhir/Patient?_id={person.id}")).json()
        assert [one["resource"]["id"] for one in patient["entry"]] == [str(person.id)]
        identifier = f"{person.identifiers[0].system}|{person.identifiers[0].value}"
        assert "entry" in (await app.get("/fhir/Patient", params={"identifier": identifier})).json()
        for type_, searches in IPA.items():
            for query in searches:
                address = f"/fhir/{type_}?patient=Patient/{person.id}&" + query.format(id=person.id.hex + uuid7().hex)
                answer = await app.get(address, headers=strict)
                assert answer.status_code == 200, (address, answer.text)
            by_form = await app.post(
                f"/fhir/{type_}/_search",
                data={"patient": str(person.id)},
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            assert by_form.status_code == 200
            implied = await app.get(f"/fhir/{type_}")
            assert implied.status_code == 200
        doctor = world.people["doctor_entry"]
        assert (await app.get(f"/fhir/Practitioner/{doctor.id}")).status_code == 200
        assert (await app.get(f"/fhir/Claim?patient={person.id}")).status_code == 403


async def test_who_is_meant_must_be_said_but_by_the_patient_herself(client):
    answer = await client.get("/fhir/Observation?code=1")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["patient"])


async def test_a_method_that_is_not_there(client, person):
    answer = await client.request("PATCH", "/fhir/Observation/_search")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await client.get("/fhir/Basic?patient=1")).status_code == 404
    assert (await client.get(f"/fhir/Observation/{person.id}/x/y")).status_code == 404
