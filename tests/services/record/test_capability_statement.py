"""The CapabilityStatement against the application: every interaction, search and operation it states is tried."""

import re

import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import requester_of
from esante.services.record import CLINICAL
from tests.support.clinical_requests import PATCH, app_client, deposit
from tests.support.clinical_resources import MINIMAL_RESOURCES, NOT_OF_HOSPITALS, laboratory_report, minimal_resource

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


@pytest.fixture(scope="module")
async def statement(hospital_client):
    """The resources of the CapabilityStatement, by type."""
    answer = await hospital_client.get("/fhir/metadata", headers={"Authorization": ""})
    assert answer.status_code == 200
    assert check(answer.content).ok, check(answer.content).issues
    return {one["type"]: one for one in answer.json()["rest"][0]["resource"]}


@pytest.fixture(scope="module")
async def person(world):
    return await world.person()


def test_every_clinical_type_has_a_minimal_resource():
    assert set(MINIMAL_RESOURCES) == set(CLINICAL)


async def test_stated_interactions_work(hospital_client, statement, person):
    for type_, stated in statement.items():
        if type_ not in MINIMAL_RESOURCES:
            continue
        assert {one["code"] for one in stated["interaction"]} == {
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
        resource = minimal_resource(type_, person)
        if type_ == "Medication":
            entry = {"resource": resource, "request": {"method": "POST", "url": type_}}
            other = {
                "resource": minimal_resource("Observation", person),
                "request": {"method": "POST", "url": "Observation"},
            }
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry, other]}
            answer = await hospital_client.post("/fhir", content=orjson.dumps(bundle))
            created_resource = (
                await hospital_client.get("/fhir/" + answer.json()["entry"][0]["response"]["location"])
            ).json()
        else:
            created = await hospital_client.post(f"/fhir/{type_}", content=orjson.dumps(resource))
            if type_ in NOT_OF_HOSPITALS:
                assert created.status_code == 403, (type_, created.text)
                continue
            assert created.status_code == 201, (type_, created.text)
            created_resource = created.json()
        url = f"/fhir/{type_}/{created_resource['id']}"
        assert (await hospital_client.get(url)).json() == created_resource
        assert (await hospital_client.get(f"{url}/_history/1")).json() == created_resource
        if type_ != "Medication":  # it says nothing of whose it is
            updated = await hospital_client.put(
                url, content=orjson.dumps(resource | {"id": created_resource["id"], "language": "fr"})
            )
            assert updated.status_code == 200, (type_, updated.text)
        operations = [{"op": "add", "path": "/language", "value": "de"}]
        patched = await hospital_client.patch(url, content=orjson.dumps(operations), headers=PATCH)
        assert patched.json()["language"] == "de", (type_, patched.text)
        for history in (f"{url}/_history", f"/fhir/{type_}/_history?patient={person.id}"):
            assert len((await hospital_client.get(history)).json()["entry"]) >= 2
        found = (await hospital_client.get(f"/fhir/{type_}?patient={person.id}&_id={created_resource['id']}")).json()
        assert [one["resource"]["id"] for one in found["entry"]] == [created_resource["id"]]
        assert (await hospital_client.delete(url)).status_code == 204


async def test_stated_search_parameters_and_modifiers_are_accepted(hospital_client, statement, person):
    strict = {"Prefer": "handling=strict"}
    for type_ in MINIMAL_RESOURCES:
        pairs = []
        for parameter in statement[type_]["searchParam"]:
            names = [parameter["name"]]
            listed = re.search(r"Modifiers: ([^.]*)\.", parameter.get("documentation", ""))
            names += [f"{parameter['name']}:{one}" for one in listed[1].split(", ")] if listed else []
            pairs += [(name, _value(parameter, name)) for name in names if not name.endswith(":[type]")]
        for start in range(0, len(pairs), 20):
            params = [("patient", str(person.id)), *pairs[start : start + 20]]
            answer = await hospital_client.get(f"/fhir/{type_}", params=params, headers=strict)
            assert answer.status_code == 200, (type_, params, answer.text)
        assert (
            await hospital_client.get(f"/fhir/{type_}?patient={person.id}&no-such=1", headers=strict)
        ).status_code == 400


def _value(parameter: dict, name: str) -> str:
    modifier = name.partition(":")[2]
    if modifier == "missing":
        return "true"
    if modifier in ("in", "not-in"):
        return "http://hl7.org/fhir/ValueSet/observation-status"
    if modifier == "of-type":
        return "http://terminology.hl7.org/CodeSystem/v2-0203|MR|1"
    if modifier == "identifier":
        return "urn:x|1"
    if parameter["type"] == "composite":
        return "a$2020" if "date" in parameter["name"] else "a$5" if "quantity" in parameter["name"] else "a$b"
    return VALUES[parameter["type"]]


async def test_stated_includes_are_accepted(hospital_client, statement, person):
    for type_ in MINIMAL_RESOURCES:
        for name, values in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude")):
            includes = statement[type_][values]
            for start in range(0, len(includes), 15):
                params = [("patient", str(person.id)), *((name, value) for value in includes[start : start + 15])]
                answer = await hospital_client.get(f"/fhir/{type_}", params=params)
                assert answer.status_code == 200, (type_, params, answer.text)


async def test_stated_search_parameters_of_other_types_are_accepted(hospital_client, statement, person):
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
        for parameter in statement[type_].get("searchParam", ()):
            params = {
                parameter["name"]: values.get(parameter["name"], VALUES[parameter["type"]].replace("ge2020", "2020"))
            }
            if type_ in ("DocumentReference", "List"):
                params["patient"] = str(person.id)
            if params.get("type") or params.get("specialty"):
                params = {name: value.partition(",")[0] for name, value in params.items()}
            answer = await hospital_client.get(f"/fhir/{type_}", params=params)
            assert answer.status_code == 200, (type_, params, answer.text)


async def test_stated_operations_work(hospital_client, statement, person, world):
    document = await deposit(hospital_client, person, laboratory_report(person, ("1", 14.1)))
    operations = {name["name"] for one in statement.values() for name in one.get("operation", ())}
    assert {"everything", "document", "docref"} <= operations
    everything = (await hospital_client.get(f"/fhir/Patient/{person.id}/$everything?_count=200")).json()
    types = {one["resource"]["resourceType"] for one in everything["entry"]}
    assert {"Patient", "Composition", "Observation", "Specimen", "Practitioner"} <= types
    [composition] = [
        one["resource"] for one in everything["entry"] if one["resource"]["resourceType"] == "Composition"
    ]
    assert (await hospital_client.get(f"/fhir/Composition/{composition['id']}/$document")).status_code == 200
    parameters = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "valueId": str(person.id)},
            {"name": "start", "valueDate": "2024-03-01"},
            {"name": "type", "valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]}},
        ],
    }
    for answer in (
        await hospital_client.get(f"/fhir/DocumentReference/$docref?patient={person.id}&end=2024-04-01"),
        await hospital_client.post("/fhir/DocumentReference/$docref", content=orjson.dumps(parameters)),
    ):
        assert [one["resource"]["id"] for one in answer.json()["entry"]] == [document]
    assert (await hospital_client.get(f"/fhir/DocumentReference/$docref?patient={person.id}&x=1")).status_code == 400


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


async def test_patient_app_can_make_the_searches_of_ipa(world, dsn, tmp_path, person):
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


async def test_search_without_patient_is_refused(hospital_client):
    answer = await hospital_client.get("/fhir/Observation?code=1")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["patient"])


async def test_unknown_method_and_path_are_refused(hospital_client, person):
    answer = await hospital_client.request("PATCH", "/fhir/Observation/_search")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await hospital_client.get("/fhir/Basic?patient=1")).status_code == 404
    assert (await hospital_client.get(f"/fhir/Observation/{person.id}/x/y")).status_code == 404
