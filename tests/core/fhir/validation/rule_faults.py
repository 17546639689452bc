"""Kinds of faults that concern several elements, and those of the text itself."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from esante.core.fhir.location_expressions import location_expression
from esante.core.fhir.validation.structure_validator import json_properties
from esante.core.types import Json
from tests.core.fhir.samples import DELETE, dumped, patient, uuid_url
from tests.core.fhir.validation.element_faults import PART
from tests.core.fhir.validation.mutations import Kind, Make, Mutant, Path, each_site, kind, mutant

CONSTRAINTS = "constraints"
#: By the type of datatype: a value that breaks the constraint, and where below it.
OF_DATATYPES: dict[str, tuple[str, Json, Path]] = {
    "per-1": ("Period", {"start": "2024-02-02", "end": "2024-01-01"}, ()),
    "qty-3": ("Quantity", {"value": 1, "code": "mg"}, ()),
    "rng-2": ("Range", {"low": {"value": 2}, "high": {"value": 1}}, ()),
    "rat-1": ("Ratio", {"numerator": {"value": 1}}, ()),
    "att-1": ("Attachment", {"data": "YQ=="}, ()),
    "cpt-2": ("ContactPoint", {"value": "1"}, ()),
    "tim-1": ("Timing", {"repeat": {"duration": 1}}, ("repeat",)),
    "ele-1": ("CodeableConcept", {"id": "a"}, ()),
}
for _key, (_code, _value, _below_it) in OF_DATATYPES.items():
    each_site(
        CONSTRAINTS,
        _key,
        lambda s, code=_code: s.is_object and s.code == code and not s.element.codes,
        lambda s, value=_value: value,
        _below_it,
    )

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
TERMS = "http://terminology.hl7.org/CodeSystem"
IN_ERROR = {"coding": [{"system": f"{TERMS}/allergyintolerance-verification", "code": "entered-in-error"}]}
ACTIVE = {"coding": [{"system": f"{TERMS}/allergyintolerance-clinical", "code": "active"}]}
SAME = {"coding": [{"system": "http://x.test", "code": "c"}]}
#: By the type of resource ("": any): elements that break the constraint, and where.
OF_RESOURCES: dict[str, tuple[str, Json, Path]] = {
    "pat-1": ("Patient", {"contact": [{"gender": "male"}]}, ("contact", 0)),
    "obs-3": ("Observation", {"referenceRange": [{"age": {"low": {"value": 1}}}]}, ("referenceRange", 0)),
    "obs-6": ("Observation", {"valueQuantity": {"value": 1}, "dataAbsentReason": SAME}, ()),
    "obs-7": ("Observation", {"valueQuantity": {"value": 1}, "code": SAME, "component": [{"code": SAME}]}, ()),
    "ait-2": ("AllergyIntolerance", {"verificationStatus": IN_ERROR, "clinicalStatus": ACTIVE}, ()),
    "org-1": ("Organization", {"name": DELETE, "identifier": DELETE}, ()),
    "org-2": ("Organization", {"address": [{"use": "home", "text": "x"}]}, ("address", 0)),
    "org-3": ("Organization", {"telecom": [{"use": "home", "system": "phone", "value": "1"}]}, ("telecom", 0)),
    "cmp-1": ("Composition", {"section": [{"title": "x"}]}, ("section", 0)),
    "txt-1": ("", {"text": {"status": "generated", "div": DIV.format("<script>x</script>")}}, ("text", "div")),
    "txt-2": ("", {"text": {"status": "generated", "div": DIV.format(" ")}}, ("text", "div")),
    "dom-3": ("", {"contained": [PART]}, ()),
    "dom-4": ("", {"contained": [{**PART, "meta": {"versionId": "1"}}]}, ()),
    "dom-5": ("", {"contained": [{**PART, "meta": {"security": [{"code": "N"}]}}]}, ()),
}


def _with(type_: str, elements: Json, named: Path) -> Kind:
    def made(resource: Json) -> Iterator[Make]:
        name = resource["resourceType"]
        if type_ not in ("", name) or not elements.keys() <= json_properties(name).keys():
            return
        # Another value would be a second fault.
        rest = {key: each for key, each in resource.items() if "valueQuantity" not in elements or key[:5] != "value"}
        broken = {key: each for key, each in {**rest, **elements}.items() if each is not DELETE}
        yield lambda: Mutant(dumped(broken), frozenset({location_expression(broken, named)}))

    return made


for _key, (_type, _elements, _place) in OF_RESOURCES.items():
    kind(CONSTRAINTS, _key)(_with(_type, _elements, _place))

BUNDLES = "Bundles"
#: By the type of Bundle ("": any): the change, and where that is reported.
OF_BUNDLES: dict[str, tuple[str, tuple[Any, ...], Path]] = {
    "an address with a version (bdl-8)": ("", ("entry", 1, "fullUrl", "http://x.test/Patient/p1/_history/1"), ("entry", 1, "fullUrl")),
    "an address of another": ("", ("entry", 1, "fullUrl", "http://x.test/Patient/other"), ("entry", 1, "fullUrl")),
    "a search outside a searchset (bdl-2)": ("", ("entry", 1, "search", {"mode": "match"}), ("entry", 1, "search")),
    "no address in a document": ("document", ("entry", 1, "fullUrl", DELETE), ("entry", 1, "fullUrl")),
    "no resource in a document": ("document", ("entry", 1, "resource", DELETE), ("entry", 1, "resource")),
    "a request in a document (bdl-3)": ("document", ("entry", 1, "request", {"method": "GET", "url": "x"}), ("entry", 1, "request")),
    "a response in a document (bdl-4)": ("document", ("entry", 1, "response", {"status": "200"}), ("entry", 1, "response")),
    "no identifier in a document (bdl-9)": ("document", ("identifier", DELETE), ("identifier",)),
    "half an identifier in a document (bdl-9)": ("document", ("identifier", {"value": "x"}), ("identifier",)),
    "no time of a document (bdl-10)": ("document", ("timestamp", DELETE), ("timestamp",)),
    "no composition in a document (bdl-11)": ("document", ("entry", 0, "resource", patient()), ("entry", 0)),
    "a section that leads nowhere": ("document", ("entry", 0, "resource", "section", 0, "entry", [{"reference": uuid_url(99)}]), ("entry", 0, "resource", "section", 0, "entry", 0, "reference")),
    "no message header (bdl-12)": ("document", ("type", "message"), ("entry", 0)),
    "a transaction without a request (bdl-3)": ("transaction", ("entry", 1, "request", DELETE), ("entry", 1, "request")),
    "a transaction that leads nowhere": ("transaction", ("entry", 1, "resource", "subject", "reference", uuid_url(99)), ("entry", 1, "resource", "subject", "reference")),
    "an entry without anything (bdl-5)": ("document", ("entry", 1, {"fullUrl": uuid_url(98)}), ("entry", 1)),
}  # fmt: skip


def _bundle_with(type_: str, change: tuple[Any, ...], named: Path) -> Kind:
    def made(resource: Json) -> Iterator[Make]:
        if resource["resourceType"] == "Bundle" and type_ in ("", resource["type"]):
            yield mutant(resource, *change, named=named)

    return made


for _name, (_type, _change, _place) in OF_BUNDLES.items():
    kind(BUNDLES, _name)(_bundle_with(_type, _change, _place))


@kind(BUNDLES, "an address twice (bdl-7)")
def _address_twice(resource: Json) -> Iterator[Make]:
    entries = resource.get("entry", []) if resource["resourceType"] == "Bundle" else []
    if len(entries) > 1 and "fullUrl" in entries[0]:
        yield mutant(resource, "entry", 1, "fullUrl", entries[0]["fullUrl"])


TEXT = "JSON text"
#: Changes of the text of a resource, which is indented by one.
BROKEN_TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "trailing comma": lambda data: data.replace(b"\n}", b",\n}"),
    "name without quotes": lambda data: data.replace(b'"resourceType"', b"resourceType", 1),
    "single quotes": lambda data: data.replace(b'"resourceType"', b"'resourceType'", 1),
    "comment": lambda data: data.replace(b"{", b"{ /* x */", 1),
    "truncated": lambda data: data[: len(data) // 2],
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "something behind the end": lambda data: data + b" x",
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "no UTF-8": lambda data: data.replace(b'"resourceType": "', b'"resourceType": "\xe9', 1),
    "NaN": lambda data: data.replace(b'"resourceType"', b'"x": NaN, "resourceType"', 1),
    "leading zero": lambda data: data.replace(b'"resourceType"', b'"x": 01, "resourceType"', 1),
    "half a character": lambda data: data.replace(b'"resourceType": "', b'"resourceType": "\\ud800', 1),
    "line feed in a text": lambda data: data.replace(b'"resourceType": "', b'"resourceType": "\n', 1),
    "nested too deeply": lambda data: (
        b'{"resourceType":"Patient","extension":' + b"[" * 300 + data + b"]" * 300 + b"}"
    ),
}


def _as_text(broken: Callable[[bytes], bytes]) -> Kind:
    def made(resource: Json) -> Iterator[Make]:
        yield lambda: Mutant(broken(json.dumps(resource, indent=1, ensure_ascii=False).encode()))

    return made


for _name, _broken in BROKEN_TEXTS.items():
    kind(TEXT, _name)(_as_text(_broken))
