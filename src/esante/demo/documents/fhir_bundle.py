"""Rendering as FHIR R4 document Bundles: the Composition, then patient, author, custodian and facts."""

import random
from collections.abc import Callable
from functools import lru_cache
from html import escape
from typing import Any

import orjson

from esante.core.types import Json
from esante.demo.data_tables import load_table
from esante.demo.documents.table_rows import section_title, table_header, table_row
from esante.demo.model import (
    Allergy,
    Diagnosis,
    DocumentDraft,
    Fact,
    LaboratoryResult,
    Medication,
    Procedure,
    Section,
    VaccineDose,
)
from esante.demo.seeded_random import draw_urn
from esante.identity.directory import (
    Organization,
    Person,
    Practitioner,
    catalogue,
    organization_resource,
    patient_resource,
    practitioner_resource,
)

ATC = "http://www.whocc.no/atc"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
_HL7 = "http://terminology.hl7.org/CodeSystem"

Entries = list[tuple[str, Json | orjson.Fragment]]
"""The fullUrl and the resource of each entry."""


def render_bundle(draft: DocumentDraft, rng: random.Random) -> bytes:
    """Return the draft as a document Bundle in JSON."""
    subject, author = draw_urn(rng), draw_urn(rng)
    entries: Entries = [(subject, _patient(draft.subject.person))]
    custodian = None
    if draft.author and draft.organization:
        custodian = draw_urn(rng)
        entries += [(author, _practitioner(draft.author)), (custodian, _organization(draft.organization))]
    else:
        author = subject
    references = _References(draft, subject, author, custodian)
    sections = [_section(section, draft, references, rng, entries) for section in draft.sections]
    _add_report(draft, references, rng, entries)
    composition = {
        "resourceType": "Composition",
        "language": draft.language,
        "status": "final",
        "type": _coding(LOINC, draft.type, _TYPE_DISPLAYS[draft.type]),
        "subject": {"reference": subject, "display": draft.subject.person.name},
        "date": draft.at.isoformat(),
        "author": [{"reference": author}],
        "title": draft.title,
        "confidentiality": "N",
    }
    if custodian:
        composition["custodian"] = {"reference": custodian}
    composition["section"] = sections
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "language": draft.language,
            "identifier": {"system": "urn:ietf:rfc:3986", "value": draw_urn(rng)},
            "type": "document",
            "timestamp": draft.at.isoformat(),
            "entry": [
                {"fullUrl": url, "resource": resource} for url, resource in [(draw_urn(rng), composition), *entries]
            ],
        }
    )


_TYPE_DISPLAYS = {
    "60591-5": "Patient summary Document",
    "18842-5": "Discharge summary",
    "11488-4": "Consult note",
    "11502-2": "Laboratory report",
    "18748-4": "Diagnostic imaging study",
    "11504-8": "Surgical operation note",
    "57833-6": "Prescription for medication",
    "11369-6": "History of Immunization note",
    "51852-2": "Letter",
    "42348-3": "Advance healthcare directives",
    "51855-5": "Patient Note",
}


class _References:
    """References to subject, author and performer of a document."""

    def __init__(self, draft: DocumentDraft, subject: str, author: str, custodian: str | None) -> None:
        self.draft = draft
        self.subject: Json = {"reference": subject}
        self.author: Json = {"reference": author}
        self.performer: Json = {"reference": custodian or author}


def _coding(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _section(
    section: Section, draft: DocumentDraft, references: _References, rng: random.Random, entries: Entries
) -> Json:
    name = load_table("titles")["section"][section.code]["name"]
    resource: Json = {
        "title": section_title(section, draft.language),
        "code": _coding(LOINC, section.code, name),
        "text": {"status": "generated", "div": _narrative(section, draft.language)},
    }
    facts = [(draw_urn(rng), _BUILDERS[type(fact)](fact, references)) for fact in section.facts]
    if facts:
        entries += facts
        resource["entry"] = [{"reference": url} for url, _ in facts]
    return resource


def _narrative(section: Section, language: str) -> str:
    parts = [f"<p>{escape(text)}</p>" for text in section.text]
    if section.facts:
        head = "".join(f"<th>{cell}</th>" for cell in table_header(section.facts, language))
        body = "".join(_cells(fact, language) for fact in section.facts)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="{language}" xml:lang="{language}">{"".join(parts)}</div>'


def _cells(fact: Fact, language: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in table_row(fact, language)) + "</tr>"


def _add_report(draft: DocumentDraft, references: _References, rng: random.Random, entries: Entries) -> None:
    """Add the DiagnosticReport of a laboratory or imaging document."""
    if draft.kind not in ("laboratory", "imaging"):
        return
    laboratory = draft.kind == "laboratory"
    report: Json = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "category": [
            _coding(f"{_HL7}/v2-0074", "LAB", "Laboratory")
            if laboratory
            else _coding(f"{_HL7}/v2-0074", "RAD", "Radiology")
        ],
        "code": _coding(LOINC, draft.type, _TYPE_DISPLAYS[draft.type]),
        "subject": references.subject,
        "effectiveDateTime": draft.at.isoformat(),
        "issued": draft.at.isoformat(),
        "performer": [references.performer],
        "resultsInterpreter": [references.author],
    }
    if laboratory:
        report["result"] = [
            {"reference": url}
            for url, resource in entries
            if isinstance(resource, dict) and resource["resourceType"] == "Observation"
        ]
    else:
        report["conclusion"] = draft.sections[-1].text[0]
    entries.append((draw_urn(rng), report))


def _observation(fact: LaboratoryResult, references: _References) -> Json:
    limits = {"low": _quantity(fact.low, fact.unit)} if fact.low else {}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [_coding(f"{_HL7}/observation-category", "laboratory", "Laboratory")],
        "code": {**_coding(LOINC, fact.loinc, fact.long), "text": fact.name},
        "subject": references.subject,
        "effectiveDateTime": fact.at.isoformat(),
        "performer": [references.performer],
        "valueQuantity": _quantity(fact.value, fact.unit),
        "interpretation": [_INTERPRETATIONS[fact.flag]],
        "referenceRange": [{**limits, "high": _quantity(fact.high, fact.unit)}],
    }


_INTERPRETATIONS = {
    code: _coding(f"{_HL7}/v3-ObservationInterpretation", code, display)
    for code, display in (("H", "High"), ("L", "Low"), ("N", "Normal"))
}


def _quantity(value: float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _medication(fact: Medication, references: _References) -> Json:
    concept = {"coding": [{"system": ATC, "code": fact.atc}], "text": fact.name}
    if fact.ordered:
        return {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": concept,
            "subject": references.subject,
            "authoredOn": references.draft.at.isoformat(),
            "requester": references.author,
            "dosageInstruction": [{"text": fact.dose}],
        }
    return {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": concept,
        "subject": references.subject,
        "effectivePeriod": {"start": references.draft.at.date().isoformat()},
        "dosage": [{"text": fact.dose}],
    }


def _condition(fact: Diagnosis, references: _References) -> Json:
    return {
        "resourceType": "Condition",
        "clinicalStatus": _coding(f"{_HL7}/condition-clinical", "active", "Active"),
        "verificationStatus": _coding(f"{_HL7}/condition-ver-status", "confirmed", "Confirmed"),
        "category": [_coding(f"{_HL7}/condition-category", "problem-list-item", "Problem List Item")],
        "code": {"coding": [{"system": ICD10, "code": fact.icd10}], "text": fact.name},
        "subject": references.subject,
        "onsetDateTime": fact.since.isoformat(),
    }


def _allergy(fact: Allergy, references: _References) -> Json:
    concept: Json = {"text": fact.name}
    if fact.atc:
        concept["coding"] = [{"system": ATC, "code": fact.atc}]
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _coding(f"{_HL7}/allergyintolerance-clinical", "active", "Active"),
        "verificationStatus": _coding(f"{_HL7}/allergyintolerance-verification", "confirmed", "Confirmed"),
        "code": concept,
        "patient": references.subject,
    }


def _immunization(fact: VaccineDose, references: _References) -> Json:
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": ATC, "code": fact.atc}], "text": fact.name},
        "patient": references.subject,
        "occurrenceDateTime": fact.day.isoformat(),
        "lotNumber": fact.lot,
    }


def _procedure(fact: Procedure, references: _References) -> Json:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": fact.name},
        "subject": references.subject,
        "performedDateTime": fact.at.isoformat(),
        "performer": [{"actor": references.author}],
    }


_BUILDERS: dict[type, Callable[[Any, _References], Json]] = {
    LaboratoryResult: _observation,
    Medication: _medication,
    Diagnosis: _condition,
    Allergy: _allergy,
    VaccineDose: _immunization,
    Procedure: _procedure,
}


@lru_cache(maxsize=8)
def _patient(person: Person) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(patient_resource(person, catalogue())))


@lru_cache(maxsize=512)
def _practitioner(practitioner: Practitioner) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(practitioner_resource(practitioner, catalogue())))


@lru_cache(maxsize=64)
def _organization(organization: Organization) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(organization_resource(organization, catalogue())))
