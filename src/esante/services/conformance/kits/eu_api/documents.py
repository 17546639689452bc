"""The document that the kit publishes: a patient summary that says what is known to be absent."""

import base64
import time
from typing import Any
from uuid import uuid4

import orjson

from esante.services.conformance.kits.fhir_requests import FHIR_JSON

LOINC = "http://loinc.org"
SUMMARY = "60591-5"
_ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_SECTIONS = (
    ("48765-2", "Allergies and intolerances", "AllergyIntolerance", "no-allergy-info"),
    ("11450-4", "Problems", "Condition", "no-problem-info"),
    ("10160-0", "Medicines", "MedicationStatement", "no-medication-info"),
)


def new_summary(person: dict[str, Any]) -> dict[str, Any]:
    """Return a patient summary of a person of the target as a FHIR document (IPS 2.0)."""
    now, subject, author = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), uuid4().urn, uuid4().urn
    known = ("identifier", "name", "gender", "birthDate")
    patient = {"resourceType": "Patient"} | {name: person[name] for name in known if name in person}
    facts = [(uuid4().urn, _fact(type_, code, subject, now)) for _, _, type_, code in _SECTIONS]
    sections = [
        {
            "title": title,
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "text": _narrative("No information."),
            "entry": [{"reference": address}],
        }
        for (code, title, _, _), (address, _) in zip(_SECTIONS, facts, strict=True)
    ]
    composition = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": SUMMARY}]},
        "subject": {"reference": subject},
        "date": now,
        "author": [{"reference": author}],
        "title": f"Conformance {uuid4()}",
        "section": sections,
    }
    writer = {"resourceType": "Practitioner", "name": [{"family": "Conformance", "given": ["Test"]}]}
    resources = [(uuid4().urn, composition), (subject, patient), (author, writer), *facts]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": uuid4().urn},
        "timestamp": now,
        "entry": [{"fullUrl": address, "resource": resource} for address, resource in resources],
    }


def publication(patient: str, content: object) -> dict[str, Any]:
    """Return a DocumentReference that publishes FHIR JSON as a patient summary (ITI-105)."""
    attachment = {
        "contentType": FHIR_JSON,
        "title": "Conformance",
        "language": "en",
        "data": base64.b64encode(orjson.dumps(content)).decode(),
    }
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": LOINC, "code": SUMMARY}]},
        "subject": {"reference": f"Patient/{patient}"},
        "content": [{"attachment": attachment}],
    }


def _fact(type_: str, code: str, subject: str, now: str) -> dict[str, Any]:
    coded = {"coding": [{"system": _ABSENT, "code": code}]}
    person = {"reference": subject}
    if type_ == "MedicationStatement":
        return {
            "resourceType": type_,
            "status": "unknown",
            "medicationCodeableConcept": coded,
            "subject": person,
            "effectivePeriod": {"start": now},
        }
    status = {"coding": [{"system": f"{_TERMINOLOGY}/{_STATUS_SYSTEMS[type_]}", "code": "active"}]}
    about = "patient" if type_ == "AllergyIntolerance" else "subject"
    return {"resourceType": type_, "clinicalStatus": status, "code": coded, about: person}


_STATUS_SYSTEMS = {"AllergyIntolerance": "allergyintolerance-clinical", "Condition": "condition-clinical"}


def _narrative(text: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{text}</p></div>'}
