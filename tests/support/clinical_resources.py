"""FHIR resources and Bundle entries for tests of clinical resources."""

import orjson

from esante.core.storage import uuid7
from esante.services.record import CLINICAL
from tests.support.record import fhir_document

CONFIDENTIALITY_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
LOINC = "http://loinc.org"
HAEMOGLOBIN = {"coding": [{"system": LOINC, "code": "718-7"}]}
#: The clinical types that the software of a hospital may not write (the column of doctors in the access matrix).
NOT_OF_HOSPITALS = ("Consent", "Coverage", "MedicationDispense", "RelatedPerson")
#: The required elements of a resource of each clinical type, without the patient.
MINIMAL_RESOURCES: dict[str, dict] = {
    "AdverseEvent": {"actuality": "actual"},
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
    "Consent": {
        "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}]},
        "category": [{"text": "a wish"}],
        "policyRule": {"text": "a law"},
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


def observation(person, code: str = "718-7", value: str = "14.10", **fields) -> bytes:
    """Return an Observation of a person as JSON; its value keeps its digits."""
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
    """Return the element `identifier` with a value in the system urn:lab."""
    return {"identifier": [{"system": "urn:lab", "value": value}]}


def encounter(person) -> dict:
    """Return a finished ambulatory Encounter of a person."""
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": f"Patient/{person.id}"},
    }


def minimal_resource(type_: str, person) -> dict:
    """Return a resource of a person with its required elements only."""
    owner = CLINICAL[type_].person
    whose = {owner: {"reference": f"Patient/{person.id}"}} if owner else {}
    return {"resourceType": type_} | whose | MINIMAL_RESOURCES[type_]


def laboratory_report(person, *results: tuple[str, float], **fields) -> dict:
    """Return a report with an Observation for each result (an identifier and a value), its Specimen and Practitioner."""
    bundle = fhir_document(person, type_="11502-2", text=f"Results {results}")
    patient, author = bundle["entry"][1]["fullUrl"], bundle["entry"][2]["fullUrl"]
    specimen = {"fullUrl": uuid7().urn, "resource": {"resourceType": "Specimen", "type": {"text": "blood"}}}
    for identifier, value in results:
        resource = {
            "resourceType": "Observation",
            "status": "final",
            "code": HAEMOGLOBIN,
            "subject": {"reference": patient},
            "performer": [{"reference": author}],
            "specimen": {"reference": specimen["fullUrl"]},
            "effectiveDateTime": "2024-03-11",
            "valueQuantity": {"value": value, "unit": "g/dL"},
            "identifier": [{"system": "urn:lab", "value": identifier}],
        } | fields
        bundle["entry"].append({"fullUrl": uuid7().urn, "resource": resource})
    bundle["entry"].append(specimen)
    return bundle


def label_parameters(code: str) -> bytes:
    """Return the Parameters of $meta-add and $meta-delete with a label of v3 Confidentiality."""
    meta = {"security": [{"system": CONFIDENTIALITY_SYSTEM, "code": code}]}
    return orjson.dumps({"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]})


def bundle_entry(method: str, url: str, resource: dict | bytes | None = None, full_url: str = "", **request) -> dict:
    """Return an entry of a batch or transaction; `request`: further elements of `entry.request`."""
    entry: dict = {"request": {"method": method, "url": url} | request}
    if resource is not None:
        entry["resource"] = orjson.loads(resource) if isinstance(resource, bytes) else resource
    if full_url:
        entry["fullUrl"] = full_url
    return entry
