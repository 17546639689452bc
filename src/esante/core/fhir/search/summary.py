"""As much of a resource as a search wants back: `_summary` and `_elements` (search.html)."""

import functools
from typing import Any

from esante.core.fhir.definitions import Element, load_definitions
from esante.core.fhir.json_codec import decode, encode
from esante.core.fhir.search.model import Query

_TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
_IDENTITY = frozenset({"resourceType", "id", "meta"})


def subset(body: bytes, query: Query) -> bytes:
    """The JSON of a match as its search wants it; tagged as a part where it is one."""
    if query.summary == "false" and not query.elements:
        return body
    resource = decode(body)
    type_ = resource["resourceType"]
    if query.elements:
        kept = _chosen(resource, _needed(type_) | frozenset(query.elements))
    elif query.summary == "true":
        kept = _summary(resource, type_)
    elif query.summary == "text":
        kept = _chosen(resource, _needed(type_) | {"text"})
    else:
        kept = {name: value for name, value in resource.items() if name != "text"}
    meta = resource.get("meta", {})
    return encode({**kept, "meta": {**meta, "tag": [*meta.get("tag", ()), _TAG]}})


def _chosen(resource: dict[str, Any], elements: frozenset[str]) -> dict[str, Any]:
    """The properties of some elements, by the names of the elements."""
    names = _IDENTITY | {
        name for e in _elements(resource["resourceType"]) if e.name in elements for name in e.json_names()
    }
    return {name: value for name, value in resource.items() if name.removeprefix("_") in names}


def _summary(value: dict[str, Any], type_: str) -> dict[str, Any]:
    """The elements that the specification counts among the summary, within backbone elements too."""
    types = _summarized(type_)
    kept = {}
    for name, inner in value.items():
        plain = name.removeprefix("_")
        if plain in _IDENTITY:
            kept[name] = inner
        elif plain in types:
            kept[name] = _within(inner, types[plain])
    return kept


def _within(value: Any, type_: str) -> Any:
    if "." not in type_:
        return value
    if isinstance(value, list):
        return [_within(each, type_) for each in value]
    return _summary(value, type_)


@functools.lru_cache(1024)
def _summarized(type_: str) -> dict[str, str]:
    """The properties in the summary of a type, with their types."""
    found = [e.json_names() for e in _elements(type_) if e.summary or e.min]
    return {name: inner for names in found for name, inner in names.items()}


@functools.lru_cache(256)
def _needed(type_: str) -> frozenset[str]:
    """The elements that a resource cannot be without, or not be understood without."""
    return frozenset(e.name for e in _elements(type_) if e.min or e.modifier)


def _elements(type_: str) -> tuple[Element, ...]:
    return load_definitions().types[type_].elements
