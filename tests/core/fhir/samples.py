"""Small synthetic resources for the tests, and changes to them."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from esante.core.types import Json


def patient() -> Json:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "identifier": [{"system": "urn:oid:1.3.182.2.4.1", "value": "1990010112345"}],
        "active": True,
        "name": [{"use": "official", "family": "Weber", "given": ["Lena", "Marie"]}],
        "gender": "female",
        "birthDate": "1990-01-01",
        "contact": [{"name": {"text": "Tom Weber"}, "gender": "male"}],
        "communication": [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "lb"}]}}],
        "multipleBirthInteger": 2,
    }


def observation() -> Json:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Potassium"},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-02T08:15:00+01:00",
        "issued": "2026-03-02T10:00:00.250Z",
        "valueQuantity": {"value": 4.1, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
        "referenceRange": [{"low": {"value": 3.5, "unit": "mmol/L"}, "high": {"value": 5.1, "unit": "mmol/L"}}],
        "interpretation": [{"coding": [{"code": "N", "display": "Normal"}]}],
        "component": [{"code": {"text": "part"}, "valueString": "clear"}],
    }


def allergy() -> Json:
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    return {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "clinicalStatus": {"coding": [{"system": system, "code": "active"}]},
        "criticality": "high",
        "code": {"text": "Penicillin"},
        "patient": {"reference": "Patient/p1"},
        "reaction": [{"manifestation": [{"text": "Urticaria"}], "severity": "moderate"}],
    }


def composition(*sections: Json) -> Json:
    return {
        "resourceType": "Composition",
        "id": "c1",
        "status": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34105-7"}], "text": "Discharge summary"},
        "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"},
        "date": "2026-03-03T12:00:00+01:00",
        "author": [{"display": "Dr Anne Muller"}],
        "title": "Discharge letter",
        "section": list(sections) or [{"title": "Findings", "text": narrative("<p>All well.</p>")}],
    }


def narrative(html: str) -> Json:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{html}</div>'}


def uuid_url(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def document(*resources: Json, sections: tuple[Json, ...] = ()) -> Json:
    """A document about `patient()`; the given resources are entries 3, 4, ... (`uuid_url(3)` and so on)."""
    listed = [composition(*sections), patient(), *resources]
    return {
        "resourceType": "Bundle",
        "id": "b1",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:b1"},
        "type": "document",
        "timestamp": "2026-03-03T12:00:05Z",
        "entry": [{"fullUrl": uuid_url(n), "resource": r} for n, r in enumerate(listed, 1)],
    }


def entry_section(*numbers: int, title: str = "Data") -> Json:
    """A section that refers to entries of `document` by number."""
    return {"title": title, "entry": [{"reference": uuid_url(n)} for n in numbers]}


def dumped(resource: Any) -> bytes:
    return json.dumps(resource, ensure_ascii=False).encode()


def element_paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all elements below a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in items:
        yield (*path, step)
        yield from element_paths(child, (*path, step))


def changed(resource: Json, *path_and_value: Any) -> Json:
    """A copy with the value at the path set; `DELETE` removes it."""
    *path, last, value = path_and_value
    copied = copy.deepcopy(resource)
    target: Any = copied
    for step in path:
        target = target[step]
    if value is DELETE:
        del target[last]
    else:
        target[last] = value
    return copied


DELETE = object()
