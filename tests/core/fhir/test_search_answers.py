"""As much of a match as a search wants back, and what is said to be supported."""

import orjson

from esante.core.fhir import encode
from esante.core.fhir.search import SearchQuery, parameters_of, parse_query, select_elements, supported_parameters
from tests.core.fhir.samples import observation


def shape(**given):
    return SearchQuery("Observation", **given)


def test_as_much_comes_back_as_is_wanted():
    whole = {
        **observation(),
        "text": {"status": "generated", "div": "<div/>"},
        "_status": {"id": "s"},
        "meta": {"tag": [{"code": "a"}]},
    }
    body = encode(whole)
    assert select_elements(body, shape()) == body
    text = orjson.loads(select_elements(body, shape(summary="text")))
    assert set(text) == {"resourceType", "id", "meta", "text", "status", "_status", "code"}
    assert [tag["code"] for tag in text["meta"]["tag"]] == ["a", "SUBSETTED"]
    data = orjson.loads(select_elements(body, shape(summary="data")))
    assert set(whole) - set(data) == {"text"}
    short = orjson.loads(select_elements(body, shape(summary="true")))
    assert {"referenceRange", "interpretation", "text"}.isdisjoint(short)
    assert {"valueQuantity", "status", "component", "subject"} <= set(short)
    chosen = orjson.loads(select_elements(body, shape(elements=("value", "note"))))
    assert set(chosen) == {"resourceType", "id", "meta", "status", "_status", "code", "valueQuantity"}


def test_a_summary_reaches_into_backbone_elements():
    part = {"code": {"text": "part"}, "valueString": "clear", "interpretation": [{"text": "well"}]}
    short = orjson.loads(select_elements(encode({**observation(), "component": [part]}), shape(summary="true")))
    assert short["component"] == [{"code": {"text": "part"}, "valueString": "clear"}]


def test_what_is_said_to_be_supported_is():
    values = {"date": "2026", "number": "1", "quantity": "1"}
    for type_ in ("Observation", "DocumentReference", "Practitioner", "Bundle"):
        said = supported_parameters(type_)
        assert {each.name for each in said} == set(parameters_of(type_))
        for each in said:
            assert each.definition.startswith("http://hl7.org/fhir/SearchParameter/")
            told = each.documentation.rpartition("Modifiers: ")[2].rstrip(".").split(", ")
            for modifier in {"", *told} - {"missing", "in", "not-in", "of-type", "[type]"}:
                if each.type != "composite":
                    name = f"{each.name}:{modifier}".rstrip(":")
                    assert parse_query(type_, [(name, values.get(each.type, "a"))], strict=True).conditions
