"""Parts of resources in search results."""

import orjson

from esante.core.fhir import encode
from esante.core.fhir.search import SearchQuery, select_elements
from tests.core.fhir.samples import observation


def query(**given):
    return SearchQuery("Observation", **given)


def test_select_elements_returns_requested_parts():
    whole = {
        **observation(),
        "text": {"status": "generated", "div": "<div/>"},
        "_status": {"id": "s"},
        "meta": {"tag": [{"code": "a"}]},
    }
    body = encode(whole)
    assert select_elements(body, query()) == body
    text = orjson.loads(select_elements(body, query(summary="text")))
    assert set(text) == {"resourceType", "id", "meta", "text", "status", "_status", "code"}
    assert [tag["code"] for tag in text["meta"]["tag"]] == ["a", "SUBSETTED"]
    data = orjson.loads(select_elements(body, query(summary="data")))
    assert set(whole) - set(data) == {"text"}
    short = orjson.loads(select_elements(body, query(summary="true")))
    assert {"referenceRange", "interpretation", "text"}.isdisjoint(short)
    assert {"valueQuantity", "status", "component", "subject"} <= set(short)
    chosen = orjson.loads(select_elements(body, query(elements=("value", "note"))))
    assert set(chosen) == {"resourceType", "id", "meta", "status", "_status", "code", "valueQuantity"}


def test_summary_includes_backbone_elements():
    part = {"code": {"text": "part"}, "valueString": "clear", "interpretation": [{"text": "well"}]}
    short = orjson.loads(select_elements(encode({**observation(), "component": [part]}), query(summary="true")))
    assert short["component"] == [{"code": {"text": "part"}, "valueString": "clear"}]
