"""Documents about one thing: a report, a stay, images, a prescription, a dispensation."""

import orjson
import pytest

from esante.core import fhir
from esante.core.time_zone import today
from esante.core.types import Json
from esante.identity.access import Confidentiality, requester_of
from esante.services.ehds.formats import check_document
from tests.support.clinical_requests import create, deposit, set_confidentiality
from tests.support.clinical_resources import laboratory_report

_LAB = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}
_RAD = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]}


async def _create(http, person, type_: str, **fields) -> str:
    """Create a resource about a person; return its relative address."""
    about = {"subject": {"reference": f"Patient/{person.id}"}}
    answer = await create(http, orjson.dumps({"resourceType": type_, **about, **fields}), type_)
    assert answer.status_code == 201, answer.text
    return f"{type_}/{answer.json()['id']}"


async def _document(client, requester, person, query: str) -> Json:
    async with client(requester) as http:
        answer = await http.get(f"/fhir/Patient/{person.id}/$document?{query}")
    assert answer.status_code == 200, answer.text
    checked = fhir.check(answer.content)
    assert checked.ok, checked.issues
    return orjson.loads(answer.content)


def _errors(document: Json) -> list[str]:
    return [one.rule for one in check_document(orjson.dumps(document), today()).findings if one.is_error]


def _types(document: Json) -> list[str]:
    return sorted(one["resource"]["resourceType"] for one in document["entry"])


async def test_laboratory_report_holds_the_report_with_its_results_and_no_others(world, client):
    person = await world.person()
    category = [{"coding": [{"code": "laboratory"}]}]
    async with client(world.people["hospital"]) as http:
        wanted = await _create(http, person, "Observation", status="final", code={"text": "Sodium"}, category=category)
        await _create(http, person, "Observation", status="final", code={"text": "Other"}, category=category)
        fields = {"status": "final", "category": [_LAB], "identifier": [{"system": "urn:lab", "value": "7"}]}
        code = {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]}
        results = [{"reference": wanted}]
        report = await _create(http, person, "DiagnosticReport", code=code, result=results, **fields)
        await _create(http, person, "DiagnosticReport", status="final", code={"text": "X-ray"}, category=[_RAD])
    document = await _document(client, requester_of(person), person, f"kind=laboratory-report&focus={report}")
    assert _errors(document) == []
    assert "Other" not in orjson.dumps(document).decode()
    assert _types(document).count("Observation") == _types(document).count("DiagnosticReport") == 1
    latest = await _document(client, requester_of(person), person, "kind=laboratory-report")
    assert _types(latest) == _types(document)


async def test_discharge_report_holds_what_belongs_to_the_stay(world, client):
    person = await world.person()
    async with client(world.people["hospital"]) as http:
        period = {"start": "2026-01-01T08:00:00Z", "end": "2026-01-05T08:00:00Z"}
        class_ = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
        stay = await _create(http, person, "Encounter", status="finished", period=period, **{"class": class_})
        of_stay = {"encounter": {"reference": stay}}
        await _create(http, person, "Condition", code={"text": "Appendicitis"}, **of_stay)
        await _create(http, person, "Procedure", status="completed", code={"text": "Appendectomy"}, **of_stay)
        await _create(http, person, "Condition", code={"text": "Something else"})
    document = await _document(client, requester_of(person), person, "kind=discharge-report")
    text = orjson.dumps(document).decode()
    assert "Appendicitis" in text and "Appendectomy" in text and "Something else" not in text
    assert [rule for rule in _errors(document) if rule.startswith("hdr")] == []


async def test_imaging_report_and_manifest_hold_the_study(world, client):
    person = await world.person()
    async with client(world.people["hospital"]) as http:
        modality = {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}
        uid = {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}
        series = [{"uid": "1.2.3.4", "modality": modality}]
        study = await _create(
            http, person, "ImagingStudy", status="available", identifier=[uid], series=series, started="2026-02-01"
        )
        images = [{"reference": study}]
        identifier = [{"system": "urn:ris", "value": "9"}]
        code = {"coding": [{"system": "http://loinc.org", "code": "85430-7"}]}
        fields = {"status": "final", "category": [_RAD], "identifier": identifier, "imagingStudy": images}
        await _create(http, person, "DiagnosticReport", code=code, conclusion="No fracture", **fields)
    report = await _document(client, requester_of(person), person, "kind=imaging-report")
    assert [rule for rule in _errors(report) if rule != "imaging-section-entries"] == []
    assert "No fracture" in report["entry"][0]["resource"]["section"][-1]["text"]["div"]
    manifest = await _document(client, requester_of(person), person, "kind=imaging-manifest")
    assert _errors(manifest) == []


async def test_prescription_holds_the_medicines_of_one_prescription(world, client):
    person = await world.person()
    async with client(world.people["hospital"]) as http:
        common = {"status": "active", "intent": "order", "authoredOn": "2026-03-01", "requester": {"display": "Dr X"}}
        group = {"system": "urn:rx", "value": "1"}
        for name, fields in (
            ("Aspirin", {"groupIdentifier": group}),
            ("Iron", {"groupIdentifier": group}),
            ("Zinc", {}),
        ):
            medicine = {"medicationCodeableConcept": {"text": name}}
            address = await _create(http, person, "MedicationRequest", **common, **medicine, **fields)
            if name == "Aspirin":
                focus = address
    document = await _document(client, requester_of(person), person, f"kind=prescription&focus={focus}")
    text = orjson.dumps(document).decode()
    assert "Aspirin" in text and "Iron" in text and "Zinc" not in text
    assert _errors(document) == []


async def test_dispensation_brings_the_prescription_along(world, client):
    person = await world.person()
    async with client(world.people["hospital"]) as http:
        medicine = {"medicationCodeableConcept": {"text": "Aspirin"}}
        fields = {"status": "active", "intent": "order", "authoredOn": "2026-03-01", "requester": {"display": "Dr X"}}
        request = await _create(http, person, "MedicationRequest", **medicine, **fields)
    pharmacy = requester_of(await world.organization("pharmacy", "Pharmacie du Parc"))
    async with client(pharmacy) as http:
        given = {"status": "completed", "quantity": {"value": 1}, "performer": [{"actor": {"display": "Pharmacy"}}]}
        of = {"authorizingPrescription": [{"reference": request}], "whenHandedOver": "2026-03-02T10:00:00Z"}
        await _create(http, person, "MedicationDispense", **medicine, **given, **of)
    document = await _document(client, requester_of(person), person, "kind=dispensation")
    assert _errors(document) == []
    assert {"MedicationRequest", "MedicationDispense"} <= set(_types(document))


async def test_focus_that_is_hidden_or_not_there_is_not_found(world, client):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    async with client(world.people["laboratory"]) as http:
        hidden = await deposit(http, person, laboratory_report(person, ("a", 1.0)))
    async with client(requester_of(person)) as own:
        built = await own.get(f"/fhir/Patient/{person.id}/$document?kind=laboratory-report")
        composition = built.json()["entry"][0]["fullUrl"].partition("/fhir/")[2]
    await set_confidentiality(world, person, hidden, Confidentiality.HIDDEN)
    async with client(world.people["doctor"]) as http:
        path = f"/fhir/Patient/{person.id}/$document?kind=laboratory-report&focus="
        refused = await http.get(path + composition)
        absent = await http.get(path + composition[:-4] + "0000")
    assert refused.status_code == absent.status_code == 404
    assert refused.json() == absent.json()


@pytest.mark.parametrize("kind", ["laboratory-report", "prescription"])
async def test_document_of_another_person_cannot_be_the_focus(world, client, kind):
    person, other = await world.person(), await world.person()
    async with client(world.people["laboratory"]) as http:
        await deposit(http, other, laboratory_report(other, ("a", 1.0)))
    async with client(requester_of(other)) as own:
        built = await own.get(f"/fhir/Patient/{other.id}/$document?kind=laboratory-report")
    composition = built.json()["entry"][0]["fullUrl"].partition("/fhir/")[2]
    async with client(requester_of(person)) as http:
        answer = await http.get(f"/fhir/Patient/{person.id}/$document?kind={kind}&focus={composition}")
    assert answer.status_code == 404
