"""Documents that are built out of a record: what they hold, for whom, and that each line names its sources."""

from datetime import date

import orjson
import pytest

from esante.core import fhir
from esante.core.types import Json
from esante.identity.access import Confidentiality, requester_of
from esante.services.ehds.formats import DocumentBuilt
from tests.support.clinical_requests import create, deposit, set_confidentiality
from tests.support.clinical_resources import laboratory_report, observation
from tests.support.record import fhir_document

IPS = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def condition(text: str, *, status: str = "active", onset: str = "2020-01-01", **fields) -> Json:
    """Return a problem as a resource for a document, without subject."""
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": status}]},
        "code": {"text": text},
        "onsetDateTime": onset,
    } | fields


def summary_document(person, *resources: Json) -> Json:
    """Return a deposited summary that holds some resources, each about its patient."""
    bundle = fhir_document(person, type_="60591-5")
    patient = bundle["entry"][1]["fullUrl"]
    urls = []
    for number, resource in enumerate(resources):
        url = f"urn:uuid:00000000-0000-4000-8000-{number:012}"
        about = "patient" if resource["resourceType"] in ("AllergyIntolerance", "Immunization") else "subject"
        bundle["entry"].append({"fullUrl": url, "resource": resource | {about: {"reference": patient}}})
        urls.append(url)
    bundle["entry"][0]["resource"]["section"][0]["entry"] = [{"reference": url} for url in urls]
    return bundle


def sections_of(bundle: Json) -> dict[str, Json]:
    """Return the sections of a document by their LOINC code."""
    composition = bundle["entry"][0]["resource"]
    return {section["code"]["coding"][0]["code"]: section for section in composition["section"]}


def texts_of(bundle: Json, code: str) -> list[str]:
    """Return the text of the code of each entry of a section."""
    by_url = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    entries = sections_of(bundle)[code].get("entry", ())
    return [by_url[entry["reference"]]["code"]["text"] for entry in entries]


async def read_summary(client, requester, person, query: str = "") -> Json:
    """Return the patient summary as a requester gets it."""
    async with client(requester) as http:
        answer = await http.get(f"/fhir/Patient/{person.id}/$summary{query}")
    assert answer.status_code == 200, answer.text
    return orjson.loads(answer.content)


async def test_summary_of_real_documents_keeps_ips_and_r4(world, client, shared_data):
    bundle = orjson.loads(sorted((shared_data / "eu-documents" / "eps").glob("*.json"))[0].read_bytes())
    person = await world.person_in(bundle)
    async with client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, bundle)
    built = await read_summary(client, requester_of(person), person, "?language=de")
    found = fhir.check(orjson.dumps(built), invariants=True, profile=[IPS])
    assert found.ok, found.issues
    assert {"11450-4", "48765-2", "10160-0", "11369-6", "47519-4", "46264-8"} <= sections_of(built).keys()


async def test_empty_record_gives_a_valid_summary_that_says_there_is_no_information(world, client):
    person = await world.person()
    built = await read_summary(client, requester_of(person), person)
    assert fhir.check(orjson.dumps(built), invariants=True, profile=[IPS]).ok
    reasons = {code: one["emptyReason"]["coding"][0]["code"] for code, one in sections_of(built).items()}
    assert set(reasons.values()) == {"unavailable"}
    assert len(reasons) == 6


async def test_known_absence_is_told_as_coded_unless_something_is_known(world, client):
    absent = {"coding": [{"system": SNOMED, "code": "716186003", "display": "No known allergy"}], "text": "None"}
    person, other = await world.person(), await world.person()
    none = {"resourceType": "AllergyIntolerance", "code": absent}
    latex = {"resourceType": "AllergyIntolerance", "code": {"text": "Latex"}}
    async with client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, summary_document(person, none))
        await deposit(hospital, other, summary_document(other, none, latex))
    assert texts_of(await read_summary(client, requester_of(person), person), "48765-2") == ["None"]
    assert texts_of(await read_summary(client, requester_of(other), other), "48765-2") == ["Latex"]


async def test_same_fact_of_two_documents_is_one_line_with_both_sources(world, client):
    person = await world.person()
    async with client(world.people["hospital"]) as hospital:
        first = await deposit(hospital, person, summary_document(person, condition("Asthma")))
    clinic = requester_of(await world.organization("hospital", "Clinique du Sud"))
    async with client(clinic) as other:
        second = await deposit(other, person, summary_document(person, condition("Asthma"), condition("Gout")))
    built = await read_summary(client, requester_of(person), person)
    assert sorted(texts_of(built, "11450-4")) == ["Asthma", "Gout"]
    asthma = next(e["fullUrl"] for e in built["entry"] if e["resource"].get("code", {}).get("text") == "Asthma")
    provenances = [e["resource"] for e in built["entry"] if e["resource"]["resourceType"] == "Provenance"]
    of_asthma = next(one for one in provenances if {"reference": asthma} in one["target"])
    named = {one["what"]["reference"].rpartition("/")[2] for one in of_asthma["entity"]}
    assert named == {first, second}
    assert {one["who"]["display"] for one in of_asthma["agent"]} == {"Hôpital du Nord", "Clinique du Sud"}


async def test_past_refuted_and_latest_entries_stand_where_they_belong(world, client):
    person = await world.person()
    verification = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    refuted = {"verificationStatus": {"coding": [{"system": verification, "code": "refuted"}]}}
    document = summary_document(
        person, condition("Asthma"), condition("Angina", status="resolved"), condition("Gout", **refuted)
    )
    async with client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, document)
        for day in ("2020-05-01", "2024-05-01", "2022-05-01"):
            vital = {"category": [{"coding": [{"code": "vital-signs"}]}]}
            await create(hospital, observation(person, effectiveDateTime=day, **vital))
    built = await read_summary(client, requester_of(person), person)
    assert texts_of(built, "11450-4") == ["Asthma"]
    assert texts_of(built, "11348-0") == ["Angina"]
    by_url = {entry["fullUrl"]: entry["resource"] for entry in built["entry"]}
    shown = [by_url[one["reference"]]["effectiveDateTime"] for one in sections_of(built)["8716-3"]["entry"]]
    assert shown == ["2024-05-01"]


async def test_hidden_document_leaves_no_trace_in_the_summary_of_a_professional(world, client):
    person, twin = await world.person(), await world.person()
    for one in (person, twin):
        await world.into_circle(one, world.people["doctor_entry"])
    async with client(world.people["hospital"]) as hospital:
        for one in (person, twin):
            await deposit(hospital, one, summary_document(one, condition("Asthma")))
        secret = await deposit(hospital, person, summary_document(person, condition("Secret"), condition("Asthma")))
    await set_confidentiality(world, person, secret, Confidentiality.HIDDEN)
    shown = await read_summary(client, world.people["doctor"], person)
    same = await read_summary(client, world.people["doctor"], twin)
    assert "Secret" not in orjson.dumps(shown).decode()
    assert secret not in orjson.dumps(shown).decode()
    assert [entry["resource"]["resourceType"] for entry in shown["entry"]] == [
        entry["resource"]["resourceType"] for entry in same["entry"]
    ]
    assert sorted(texts_of(await read_summary(client, requester_of(person), person), "11450-4")) == [
        "Asthma",
        "Secret",
    ]


async def test_refused_and_absent_records_give_the_same_answer_and_refusal_is_journalled(world, client):
    person = await world.person()
    async with client(world.people["other"], "user/*.rs") as http:
        refused = await http.get(f"/fhir/Patient/{person.id}/$summary")
        absent = await http.get("/fhir/Patient/00000000-0000-4000-8000-000000000000/$summary")
        wrong = await http.get("/fhir/Patient/nobody/$summary")
    assert refused.status_code == absent.status_code == wrong.status_code == 404
    assert refused.json() == absent.json() == wrong.json()
    [(_, event)] = await world.events(person, DocumentBuilt)
    assert not event.allowed


async def test_reading_is_one_entry_with_the_categories_and_documents_of_the_sources(world, client):
    person = await world.person()
    async with client(world.people["hospital"]) as hospital:
        document = await deposit(hospital, person, summary_document(person, condition("Asthma")))
        await create(hospital, observation(person, category=[{"coding": [{"code": "laboratory"}]}]))
    await read_summary(client, requester_of(person), person)
    [(_, event)] = await world.events(person, DocumentBuilt)
    assert event.categories == ("laboratory_report", "patient_summary")
    assert [key.hex for key in event.documents] == [document[32:]]
    assert (event.document_kind, event.count, event.allowed) == ("patient-summary", 2, True)


async def test_token_without_a_type_gives_a_summary_without_it(world, client):
    person = await world.person()
    async with client(world.people["hospital"]) as hospital:
        await deposit(hospital, person, summary_document(person, condition("Asthma")))
    async with client(requester_of(person), "patient/Patient.r patient/Composition.r patient/Observation.rs") as http:
        answer = await http.get(f"/fhir/Patient/{person.id}/$summary")
        assert "Asthma" not in answer.text and answer.status_code == 200
    async with client(requester_of(person), "patient/Observation.rs") as http:
        assert (await http.get(f"/fhir/Patient/{person.id}/$summary")).status_code == 403


@pytest.mark.parametrize("query", ["$summary?profile=x", "$summary?nonsense=1", "$document", "$document?kind=letter"])
async def test_wrong_parameter_is_refused_with_place(world, client, query):
    person = await world.person()
    async with client(requester_of(person)) as http:
        answer = await http.get(f"/fhir/Patient/{person.id}/{query}", headers={"Prefer": "handling=strict"})
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_document_without_anything_to_be_about_is_not_found(world, client):
    person = await world.person()
    async with client(requester_of(person)) as http:
        for kind in ("laboratory-report", "discharge-report", "imaging-manifest", "prescription", "dispensation"):
            assert (await http.get(f"/fhir/Patient/{person.id}/$document?kind={kind}")).status_code == 404


async def test_laboratory_report_of_a_person_names_what_it_is_about(world, client):
    person = await world.person(birth_date=date(1970, 1, 1))
    async with client(world.people["laboratory"]) as laboratory:
        await deposit(laboratory, person, laboratory_report(person))
    async with client(requester_of(person)) as http:
        answer = await http.get(f"/fhir/Patient/{person.id}/$document?kind=laboratory-report")
    assert answer.status_code == 200, answer.text
    assert fhir.check(answer.content).ok, fhir.check(answer.content).issues
