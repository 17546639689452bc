"""Parts of a resource in search results: `_summary` and `_elements` (search.html)."""

import functools
from collections.abc import Mapping
from typing import Any

from esante.core.fhir.definitions import Element, load_definitions
from esante.core.fhir.json_codec import decode, encode
from esante.core.fhir.search.model import SearchQuery
from esante.core.types import Json

SUBSETTED: Mapping[str, str] = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
"""The tag of a part of a resource."""
_IDENTITY = frozenset({"resourceType", "id", "meta"})


def select_elements(body: bytes, query: SearchQuery | None) -> bytes:
    """Return the JSON of a resource with the elements that a query asks for (None: all of them), as `select_part`."""
    return body if query is None or _asks_for_all(query) else encode(select_part(decode(body), query))


def select_part(resource: Json, query: SearchQuery | None) -> Json:
    """Return the elements of a resource that a query asks for (None: all), tagged SUBSETTED where that is a part."""
    if query is None or _asks_for_all(query):
        return resource
    type_ = resource["resourceType"]
    if query.elements:
        kept = _with_elements(resource, _required_elements(type_) | frozenset(query.elements))
    elif query.summary == "true":
        kept = _summarize(resource, type_)
    elif query.summary == "text":
        kept = _with_elements(resource, _required_elements(type_) | {"text"})
    else:
        kept = {name: value for name, value in resource.items() if name != "text"}
    meta = resource.get("meta", {})
    return {**kept, "meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}}


def _asks_for_all(query: SearchQuery) -> bool:
    return query.summary == "false" and not query.elements


def _with_elements(resource: Json, elements: frozenset[str]) -> Json:
    """Return the properties of a resource that belong to some elements."""
    names = _IDENTITY | {
        name for e in _elements(resource["resourceType"]) if e.name in elements for name in e.json_names()
    }
    return {name: value for name, value in resource.items() if name.removeprefix("_") in names}


def _summarize(value: Json, type_: str) -> Json:
    """Return the elements that the specification has in the summary, also within backbone elements."""
    types = _summary_properties(type_)
    kept = {}
    for name, inner in value.items():
        plain = name.removeprefix("_")
        if plain in _IDENTITY:
            kept[name] = inner
        elif plain in types:
            kept[name] = _summarize_value(inner, types[plain])
    return kept


def _summarize_value(value: Any, type_: str) -> Any:
    if "." not in type_:
        return value
    if isinstance(value, list):
        return [_summarize_value(each, type_) for each in value]
    return _summarize(value, type_)


@functools.lru_cache(1024)
def _summary_properties(type_: str) -> dict[str, str]:
    """Return the properties in the summary of a type, with their types."""
    found = [e.json_names() for e in _elements(type_) if e.summary or e.min]
    return {name: inner for names in found for name, inner in names.items()}


@functools.lru_cache(256)
def _required_elements(type_: str) -> frozenset[str]:
    """Return the mandatory elements and the modifier elements of a type."""
    return frozenset(e.name for e in _elements(type_) if e.min or e.modifier)


def _elements(type_: str) -> tuple[Element, ...]:
    return load_definitions().types[type_].elements
