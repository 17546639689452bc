"""Papers as FHIR R4 document Bundles: a Composition first, then whom it is about, by whom, and its facts."""

import random
from collections.abc import Callable
from functools import lru_cache
from html import escape
from typing import Any

import orjson

from esante.demo.data_tables import table
from esante.demo.documents.table_rows import header, row, title_of
from esante.demo.model import Allergy, Dose, Fact, Medicine, Paper, Problem, Procedure, Result, Section
from esante.demo.seeded_random import urn
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

Resource = dict[str, Any]
Entries = list[tuple[str, Resource | orjson.Fragment]]


def bundle(paper: Paper, chance: random.Random) -> bytes:
    """The bytes of the document."""
    subject, author = urn(chance), urn(chance)
    entries: Entries = [(subject, _patient(paper.subject.person))]
    custodian = None
    if paper.author and paper.organization:
        custodian = urn(chance)
        entries += [(author, _practitioner(paper.author)), (custodian, _organization(paper.organization))]
    else:
        author = subject
    refer = _References(paper, subject, author, custodian)
    sections = [_section(section, paper, refer, chance, entries) for section in paper.sections]
    _add_report(paper, refer, chance, entries)
    composition = {
        "resourceType": "Composition",
        "language": paper.language,
        "status": "final",
        "type": _coding(LOINC, paper.type, _TYPES[paper.type]),
        "subject": {"reference": subject, "display": paper.subject.person.name},
        "date": paper.at.isoformat(),
        "author": [{"reference": author}],
        "title": paper.title,
        "confidentiality": "N",
    }
    if custodian:
        composition["custodian"] = {"reference": custodian}
    composition["section"] = sections
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "language": paper.language,
            "identifier": {"system": "urn:ietf:rfc:3986", "value": urn(chance)},
            "type": "document",
            "timestamp": paper.at.isoformat(),
            "entry": [
                {"fullUrl": url, "resource": resource} for url, resource in [(urn(chance), composition), *entries]
            ],
        }
    )


_TYPES = {
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
    """The people of a document, as its resources refer to them."""

    def __init__(self, paper: Paper, subject: str, author: str, custodian: str | None) -> None:
        self.paper = paper
        self.subject: Resource = {"reference": subject}
        self.author: Resource = {"reference": author}
        self.performer: Resource = {"reference": custodian or author}


def _coding(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _section(section: Section, paper: Paper, refer: _References, chance: random.Random, entries: Entries) -> Resource:
    name = table("titles")["section"][section.code]["name"]
    found: Resource = {
        "title": title_of(section, paper.language),
        "code": _coding(LOINC, section.code, name),
        "text": {"status": "generated", "div": _narrative(section, paper.language)},
    }
    told = [(urn(chance), _MAKERS[type(fact)](fact, refer)) for fact in section.facts]
    if told:
        entries += told
        found["entry"] = [{"reference": url} for url, _ in told]
    return found


def _narrative(section: Section, language: str) -> str:
    parts = [f"<p>{escape(text)}</p>" for text in section.text]
    if section.facts:
        head = "".join(f"<th>{cell}</th>" for cell in header(section.facts, language))
        body = "".join(_cells(fact, language) for fact in section.facts)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return f'<div xmlns="http://www.w3.org/1999/xhtml" lang="{language}" xml:lang="{language}">{"".join(parts)}</div>'


def _cells(fact: Fact, language: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(fact, language)) + "</tr>"


def _add_report(paper: Paper, refer: _References, chance: random.Random, entries: Entries) -> None:
    """The DiagnosticReport of a laboratory or imaging document."""
    if paper.kind not in ("laboratory", "imaging"):
        return
    laboratory = paper.kind == "laboratory"
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "category": [
            _coding(f"{_HL7}/v2-0074", "LAB", "Laboratory")
            if laboratory
            else _coding(f"{_HL7}/v2-0074", "RAD", "Radiology")
        ],
        "code": _coding(LOINC, paper.type, _TYPES[paper.type]),
        "subject": refer.subject,
        "effectiveDateTime": paper.at.isoformat(),
        "issued": paper.at.isoformat(),
        "performer": [refer.performer],
        "resultsInterpreter": [refer.author],
    }
    if laboratory:
        report["result"] = [
            {"reference": url}
            for url, resource in entries
            if isinstance(resource, dict) and resource["resourceType"] == "Observation"
        ]
    else:
        report["conclusion"] = paper.sections[-1].text[0]
    entries.append((urn(chance), report))


def _observation(fact: Result, refer: _References) -> Resource:
    limits = {"low": _quantity(fact.low, fact.unit)} if fact.low else {}
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [_coding(f"{_HL7}/observation-category", "laboratory", "Laboratory")],
        "code": {**_coding(LOINC, fact.loinc, fact.long), "text": fact.name},
        "subject": refer.subject,
        "effectiveDateTime": fact.at.isoformat(),
        "performer": [refer.performer],
        "valueQuantity": _quantity(fact.value, fact.unit),
        "interpretation": [_INTERPRETATIONS[fact.flag]],
        "referenceRange": [{**limits, "high": _quantity(fact.high, fact.unit)}],
    }


_INTERPRETATIONS = {
    code: _coding(f"{_HL7}/v3-ObservationInterpretation", code, display)
    for code, display in (("H", "High"), ("L", "Low"), ("N", "Normal"))
}


def _quantity(value: float, unit: str) -> Resource:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _medication(fact: Medicine, refer: _References) -> Resource:
    concept = {"coding": [{"system": ATC, "code": fact.atc}], "text": fact.name}
    if fact.ordered:
        return {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": concept,
            "subject": refer.subject,
            "authoredOn": refer.paper.at.isoformat(),
            "requester": refer.author,
            "dosageInstruction": [{"text": fact.dose}],
        }
    return {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": concept,
        "subject": refer.subject,
        "effectivePeriod": {"start": refer.paper.at.date().isoformat()},
        "dosage": [{"text": fact.dose}],
    }


def _condition(fact: Problem, refer: _References) -> Resource:
    return {
        "resourceType": "Condition",
        "clinicalStatus": _coding(f"{_HL7}/condition-clinical", "active", "Active"),
        "verificationStatus": _coding(f"{_HL7}/condition-ver-status", "confirmed", "Confirmed"),
        "category": [_coding(f"{_HL7}/condition-category", "problem-list-item", "Problem List Item")],
        "code": {"coding": [{"system": ICD10, "code": fact.icd10}], "text": fact.name},
        "subject": refer.subject,
        "onsetDateTime": fact.since.isoformat(),
    }


def _allergy(fact: Allergy, refer: _References) -> Resource:
    concept: Resource = {"text": fact.name}
    if fact.atc:
        concept["coding"] = [{"system": ATC, "code": fact.atc}]
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": _coding(f"{_HL7}/allergyintolerance-clinical", "active", "Active"),
        "verificationStatus": _coding(f"{_HL7}/allergyintolerance-verification", "confirmed", "Confirmed"),
        "code": concept,
        "patient": refer.subject,
    }


def _immunization(fact: Dose, refer: _References) -> Resource:
    return {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [{"system": ATC, "code": fact.atc}], "text": fact.name},
        "patient": refer.subject,
        "occurrenceDateTime": fact.day.isoformat(),
        "lotNumber": fact.lot,
    }


def _procedure(fact: Procedure, refer: _References) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": fact.name},
        "subject": refer.subject,
        "performedDateTime": fact.at.isoformat(),
        "performer": [{"actor": refer.author}],
    }


_MAKERS: dict[type, Callable[[Any, _References], Resource]] = {
    Result: _observation,
    Medicine: _medication,
    Problem: _condition,
    Allergy: _allergy,
    Dose: _immunization,
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
