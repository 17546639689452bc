"""A patient summary as a FHIR document, of which lines can be restricted."""

from typing import Any
from uuid import UUID, uuid5

import orjson

from esante.core.types import Json

SNOMED, LOINC, ATC = "http://snomed.info/sct", "http://loinc.org", "http://www.whocc.no/atc"
_SPACE = UUID("6f3b1c1e-6c1e-4b7e-9a55-0a3c58e0a001")
_DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
SECRET = "Bipolarstoerung"
"""The word that names what is restricted, and stands in no code."""


def urn(name: str) -> str:
    """Return the fullUrl of an entry."""
    return uuid5(_SPACE, name).urn


def build_summary(
    *, secret: bool = True, edition: str = "1", patient: Json | None = None, extra: str = "Kontrolle im Herbst."
) -> Json:
    """Return a summary with a problem and a result that may be restricted, and what refers to them.

    `secret` False: the summary as if these had never been; `edition` is in its identifier.
    """
    problems = ["asthma", "bipolar"] if secret else ["asthma"]
    medicines = ["salbutamol", "lithium"]
    results = ["glucose", "lithium-level"]
    report_results = results
    reason = [{"reference": urn("bipolar")}] if secret else []
    resources: list[tuple[str, Json]] = [
        (
            "composition",
            {
                "resourceType": "Composition",
                "status": "final",
                "type": _concept(LOINC, "60591-5"),
                "subject": {"reference": urn("patient")},
                "date": "2024-03-12T10:00:00+01:00",
                "author": [{"reference": urn("author")}],
                "title": "Patientenübersicht",
                "language": "de",
                "section": [
                    _section("Probleme", "11450-4", problems, secret=secret),
                    _section("Medikamente", "10160-0", medicines),
                    _section("Befunde", "30954-2", ["report"]),
                    {"title": "Planung", "code": _concept(LOINC, "18776-5"), "text": _text(extra)},
                ],
            },
        ),
        ("patient", {"resourceType": "Patient", **(patient or {"name": [{"family": "Weber", "given": ["Anna"]}]})}),
        ("author", {"resourceType": "Practitioner", "name": [{"family": "Muller"}]}),
        ("asthma", _condition("asthma", "195967001", "Asthma")),
        ("salbutamol", _medicine("Salbutamol", "R03AC02", [])),
        ("lithium", _medicine("Lithium", "N05AN01", reason, secret=secret)),
        ("glucose", _observation("glucose", "2339-0", "Glucose", 5.1)),
        ("lithium-level", _observation("lithium-level", "14334-7", "Lithium im Serum", 0.8)),
        (
            "report",
            {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": _concept(LOINC, "11502-2"),
                "subject": {"reference": urn("patient")},
                "result": [{"reference": urn(one)} for one in report_results],
                "conclusion": "Spiegel im Bereich.",
            },
        ),
    ]
    if secret:
        resources[4:4] = [
            ("bipolar", _condition("bipolar", "13746004", SECRET) | {"asserter": {"reference": urn("psychiatrist")}}),
            ("psychiatrist", {"resourceType": "Practitioner", "name": [{"family": "Seelenarzt"}]}),
        ]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": urn(f"bundle {edition}")},
        "timestamp": "2024-03-12T10:00:00+01:00",
        "entry": [{"fullUrl": urn(name), "resource": resource} for name, resource in resources],
    }


def summary_bytes(**options: Any) -> bytes:
    """Return `build_summary` as JSON."""
    return orjson.dumps(build_summary(**options))


def token_of(bundle: Json, name: str) -> str:
    """Return the token of the line with the fullUrl of a name."""
    index = next(index for index, entry in enumerate(bundle["entry"]) if entry["fullUrl"] == urn(name))
    return f"entry/{index}"


def _section(title: str, code: str, names: list[str], *, secret: bool = False) -> Json:
    words = ", ".join([*names, *([SECRET] if secret else [])])
    return {
        "title": title,
        "code": _concept(LOINC, code),
        "text": _text(words),
        "entry": [{"reference": urn(name)} for name in names],
    }


def _condition(name: str, code: str, text: str) -> Json:
    return {
        "resourceType": "Condition",
        "identifier": [{"system": "urn:example:problems", "value": name}],
        "clinicalStatus": _concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "code": _concept(SNOMED, code, text),
        "subject": {"reference": urn("patient")},
    }


def _medicine(text: str, code: str, reason: list[Json], *, secret: bool = False) -> Json:
    found: Json = {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": _concept(ATC, code, text),
        "subject": {"reference": urn("patient")},
    }
    if reason:
        found |= {"reasonReference": reason}
    if secret:
        found |= {"note": [{"text": f"Wegen {SECRET}."}], "reasonCode": [_concept(SNOMED, "13746004", SECRET)]}
    return found


def _observation(name: str, code: str, text: str, value: float) -> Json:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:example:results", "value": name}],
        "status": "final",
        "code": _concept(LOINC, code, text),
        "subject": {"reference": urn("patient")},
        "valueQuantity": {"value": value, "unit": "mmol/L"},
    }


def _concept(system: str, code: str, text: str = "") -> Json:
    concept: Json = {"coding": [{"system": system, "code": code}]}
    return concept | {"text": text} if text else concept


def _text(words: str) -> Json:
    return {"status": "generated", "div": _DIV.format(f"<p>{words}</p>")}
