"""Resources that are as expensive to check as their size allows: many elements for which a check might compare all pairs,
walk everything for each, or try patterns at each position."""

import json
from collections.abc import Callable
from typing import Any

from esante.core.types import Json
from tests.core.fhir.samples import composition, document, narrative, observation, uuid_url

Many = Callable[[Callable[[int], Json]], list[Json]]

PATIENT: Json = {"resourceType": "Patient", "id": "p"}
DEFINED = {"url": "http://x.test", "name": "X", "status": "draft"}


def bundle(entries: list[Json], type_: str = "collection") -> Json:
    return {"resourceType": "Bundle", "type": type_, "entry": entries}


def entry(number: int, resource: Json) -> Json:
    return {"fullUrl": f"urn:x:{number}", "resource": resource}


def observed(number: int, **elements: Any) -> Json:
    return {**observation(), "id": f"o{number}", **elements}


def requested(number: int, resource: Json) -> Json:
    return {"fullUrl": uuid_url(number), "request": {"method": "POST", "url": "Observation"}, "resource": resource}


def holder(number: int) -> Json:
    return observed(number, subject={"reference": "#p"}, contained=[PATIENT])


#: `many(f)` repeats `f(number)` until the size is reached; `size` is for texts.
CASES: dict[str, Callable[[Many, int], Json]] = {
    "unknown types": lambda many, size: bundle(many(lambda n: {"resource": {"resourceType": f"Observatiom{n}"}})),
    "unknown names": lambda many, size: {**PATIENT, **{f"birthDate{n}": "x" for n in range(size // 26)}},
    "long names": lambda many, size: {**PATIENT, **{"x" * 10_000 + str(n): "x" for n in range(size // 10_010)}},
    "items": lambda many, size: {"resourceType": "Questionnaire", "status": "draft", "item": many(lambda n: {"linkId": str(n), "type": "string"})},
    "groups of items": lambda many, size: {"resourceType": "Questionnaire", "status": "draft", "item": many(lambda n: {"linkId": str(n), "type": "group", "item": [{"linkId": f"a{n}", "type": "string"}]})},
    "one address for all": lambda many, size: bundle(many(lambda n: {"fullUrl": uuid_url(1), "resource": PATIENT})),
    "contained": lambda many, size: {**observation(), "contained": many(lambda n: {**PATIENT, "id": f"p{n}"})},
    "contained and referred to": lambda many, size: {"resourceType": "Group", "type": "person", "actual": True, "contained": (those := many(lambda n: {**PATIENT, "id": f"p{n}"}))[: len(those) // 3], "member": [{"entity": {"reference": f"#p{n}"}} for n in range(len(those) // 2)]},
    "holders": lambda many, size: bundle(many(lambda n: entry(n, holder(n)))),
    "concepts": lambda many, size: {"resourceType": "CodeSystem", "status": "draft", "content": "complete", "concept": many(lambda n: {"code": str(n), "display": "x"})},
    "elements": lambda many, size: {"resourceType": "StructureDefinition", **DEFINED, "kind": "resource", "abstract": False, "type": "Patient", "baseDefinition": "http://x.test", "derivation": "constraint", "snapshot": {"element": many(lambda n: {"id": f"Patient.a{n}", "path": f"Patient.a{n}", "min": 0, "max": "1"})}},
    "extensions": lambda many, size: {**PATIENT, "extension": many(lambda n: {"url": "http://x.test", "extension": [{"url": "a", "valueString": "b"}]})},
    "observations": lambda many, size: bundle(many(lambda n: entry(n, observed(n)))),
    "doubtful observations": lambda many, size: bundle(many(lambda n: entry(n, observed(n, code={"text": "a\1"})))),
    "references to nothing": lambda many, size: document(*many(lambda n: observed(n, subject={"reference": f"Patient/no{n}"}))),
    "transaction to nothing": lambda many, size: bundle(many(lambda n: requested(n, observed(n, subject={"reference": "urn:uuid:x"}))), "transaction"),
    "paragraphs": lambda many, size: {**PATIENT, "text": narrative("<p>x &amp; y</p>" * (size // 17))},
    "named entities": lambda many, size: {**PATIENT, "text": narrative("&nbsp;" * (size // 6))},
    "nested narrative": lambda many, size: {**PATIENT, "text": narrative("<b>" * (size // 8) + "</b>" * (size // 8))},
    "escapes": lambda many, size: {**PATIENT, "name": [{"text": '"\\\n' * (size // 6)}]},
    "names and an empty one": lambda many, size: {**PATIENT, "name": [{"given": [*["x"] * (size // 5 - 1), ""]}]},
    "names": lambda many, size: {**PATIENT, "name": [{"given": ["x"] * (size // 5)}]},
    "wrong dates": lambda many, size: {**PATIENT, "name": many(lambda n: {"period": {"start": "2024-02-3"}})},
    "digits": lambda many, size: {**PATIENT, "birthDate": "9" * size},
    "spaces in a code": lambda many, size: {**observation(), "code": {"coding": [{"code": "a b " * (size // 4)}]}},
    "white space": lambda many, size: {**PATIENT, "implicitRules": "\t" * (size // 2)},
    "base64": lambda many, size: {"resourceType": "Binary", "contentType": "x", "data": "YWJj" * (size // 4) + "="},
    "oid": lambda many, size: {"resourceType": "Parameters", "parameter": [{"name": "x", "valueOid": "urn:oid:1" + ".1" * (size // 2) + "."}]},
    "fraction of a second": lambda many, size: {**PATIENT, "meta": {"lastUpdated": f"2024-01-01T10:00:00.{'1' * size}"}},
    "searched": lambda many, size: {"resourceType": "CapabilityStatement", "status": "draft", "date": "2024", "kind": "instance", "fhirVersion": "4.0.1", "format": ["x"], "implementation": {"description": "x"}, "rest": [{"mode": "server", "resource": many(lambda n: {"type": "Patient", "searchParam": [{"name": f"a{n}", "type": "token"}]})}]},
    "operations": lambda many, size: {"resourceType": "TestScript", **DEFINED, "test": [{"action": many(lambda n: {"operation": {"encodeRequestUrl": True, "type": {"code": "read"}}})}]},
    "sections": lambda many, size: composition(*many(lambda n: {"title": "x", "text": narrative("<p>x</p>")})),
    "parts of a guide": lambda many, size: {"resourceType": "ImplementationGuide", **DEFINED, "packageId": "x", "fhirVersion": ["4.0.1"], "definition": {"resource": many(lambda n: {"reference": {"reference": f"Patient/{n}"}, "groupingId": "x"})}},
    "contacts": lambda many, size: {**PATIENT, "contact": many(lambda n: {"gender": "male"})},
    "lists in lists": lambda many, size: {**PATIENT, "name": [[]] * (size // 5)},
    "names given twice": lambda many, size: {"resourceType": "Bundle", "type": "collection", "entry": many(lambda n: {"fullUrl": uuid_url(n), "@@": 1})},
}  # fmt: skip


def build_case(name: str, size: int) -> bytes:
    """Return a case of about `size` bytes, at most that."""
    data = b"x" * (size + 1)
    aim = size
    while len(data) > size:
        data = _of_about(name, aim)
        aim = aim * 9 // 10
    return data.replace(b'"@@"', b'"fullUrl"')


def _of_about(name: str, size: int) -> bytes:
    def many(one: Callable[[int], Json]) -> list[Json]:
        longest = len(json.dumps(one(99_999))) + 2
        return [one(number) for number in range(size // longest)]

    return json.dumps(CASES[name](many, size), ensure_ascii=False).encode()
