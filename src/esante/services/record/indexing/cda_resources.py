"""The vaccinations of a CDA document as FHIR R4 Immunizations, as far as they are coded (CDA R2, IHE PCC)."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from esante.core.types import Json

HINT = b"11369-6"
"""What every document with a section of immunizations holds, in an encoding that is like ASCII."""
_SYSTEMS = {
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.6.73": "http://www.whocc.no/atc",
    "2.16.840.1.113883.12.292": "http://hl7.org/fhir/sid/cvx",
    "2.16.840.1.113883.6.59": "http://hl7.org/fhir/sid/cvx",
}
"""The FHIR names of code systems, by OID."""
_URI = "urn:ietf:rfc:3986"
_MISSING = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
_ENCODED_OTHERWISE = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")


def may_hold_vaccinations(content: bytes) -> bool:
    """Return whether a CDA document may hold a section of immunizations: whether opening it is worth while."""
    return HINT in content or content.startswith(_ENCODED_OTHERWISE)


def immunization_bundle(doses: Sequence[Json]) -> Json:
    """Return a Bundle of a patient and the Immunizations of a document, as `extract_facts` takes it."""
    counts = Counter((system, value) for dose in doses for system, value in dose["identifiers"])
    # One identifier of several doses says nothing of any of them.
    own = [[pair for pair in map(tuple, dose["identifiers"]) if counts[pair] == 1] for dose in doses]
    made = [_immunization(dose, identifiers) for dose, identifiers in zip(doses, own, strict=True)]
    resources = [{"resourceType": "Patient"}, *made]
    entries = [{"fullUrl": f"urn:x-cda:{number}", "resource": one} for number, one in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _immunization(dose: Json, identifiers: Sequence[tuple[str, str]]) -> Json:
    resource: Json = {
        "resourceType": "Immunization",
        "identifier": [*map(_identifier, identifiers)],
        "status": "not-done" if dose["negated"] else "completed",
        "vaccineCode": _concept(dose),
        "patient": {"reference": "urn:x-cda:0"},
        "primarySource": False,
        "manufacturer": {"display": dose["manufacturer"]} if dose["manufacturer"] else None,
        "lotNumber": dose["lot"],
        "performer": [{"actor": {"type": type_, "display": name}} for type_, name in _performers(dose)],
        "protocolApplied": [{"doseNumberPositiveInt": dose["number"]}] if dose["number"] else None,
    }
    if _is_date(dose["date"]):
        resource["occurrenceDateTime"] = dose["date"]
    else:
        resource["_occurrenceDateTime"] = {"extension": [_MISSING]}
    return {name: value for name, value in resource.items() if value not in (None, "", [])}


def _concept(dose: Json) -> Json:
    coding = [{"system": _SYSTEMS.get(system, f"urn:oid:{system}"), "code": code} for system, code in dose["codes"]]
    concept: dict[str, Any] = {"coding": coding, "text": dose["name"]}
    return {name: value for name, value in concept.items() if value}


def _performers(dose: Json) -> Iterator[tuple[str, str]]:
    if dose["performer"]:
        yield "Practitioner", dose["performer"]
    if dose["place"]:
        yield "Organization", dose["place"]


def _identifier(pair: tuple[str, str]) -> Json:
    """Return an II as an Identifier (FHIR R4, "mapping of II")."""
    root, extension = pair
    if extension:
        return {"system": _urn(root), "value": extension}
    return {"system": _URI, "value": _urn(root)}


def _urn(root: str) -> str:
    try:
        return UUID(root).urn
    except ValueError:
        return f"urn:oid:{root}"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat((text + "-01-01")[:10])
    except ValueError:
        return False
    return bool(re.fullmatch(r"\d{4}(-\d\d){0,2}", text))
