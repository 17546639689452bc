"""Rules of ValueSet and ConceptMap."""

import pytest

from tests.core.fhir.validation.passes import full_issues

GENDER = "http://hl7.org/fhir/administrative-gender"
ITEM_TYPE = "http://hl7.org/fhir/item-type"


def value_set(part, kind="include"):
    other = {"include": [{"system": "http://x.test"}]} if kind == "exclude" else {}
    return {"resourceType": "ValueSet", "status": "draft", "compose": {**other, kind: [part]}}


def filtered(system, property_, operator, value):
    return {"system": system, "filter": [{"property": property_, "op": operator, "value": value}]}


WRONG = {
    "system": {"system": "http://hl7.org/fhir/ValueSet/administrative-gender"},
    "concept[0].code": {"system": GENDER, "concept": [{"code": "m"}]},
    "filter[0].value": filtered(ITEM_TYPE, "notSelectable", "=", "1"),
}


@pytest.mark.parametrize("place", WRONG)
@pytest.mark.parametrize("kind", ["include", "exclude"])
def test_part_with_a_wrong_system_code_or_filter_is_rejected(place, kind):
    assert full_issues(value_set(WRONG[place], kind)) == [f"ValueSet.compose.{kind}[0].{place}"]


@pytest.mark.parametrize(
    ("part", "place"),
    [(filtered("http://x.test", "inactive", "=", "no"), "value"), (filtered("http://x.test", "any", "exists", "yes"), "value"),
     (filtered("http://hl7.org/fhir/CodeSystem/example", "acme-plasma", "is-a", "x"), "op")],
)  # fmt: skip
def test_filter_against_its_definition_is_rejected(part, place):
    assert full_issues(value_set(part)) == [f"ValueSet.compose.include[0].filter[0].{place}"]


@pytest.mark.parametrize(
    "part",
    [{"system": GENDER, "concept": [{"code": "male"}]}, {"system": GENDER, "version": "5.0.0", "concept": [{"code": "m"}]},
     filtered(ITEM_TYPE, "notSelectable", "=", "true"), filtered("http://x.test", "any", "regex", "a.*"),
     {"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]}],
)  # fmt: skip
def test_other_part_is_accepted(part):
    assert full_issues(value_set(part)) == []


@pytest.mark.parametrize("system", ["#contained", "LOINC"])
def test_relative_system_of_a_value_set_or_map_is_rejected(system):
    assert full_issues(value_set({"system": system})) == ["ValueSet.compose.include[0].system"]
    group = {"source": system, "element": [{"code": "x"}]}
    concept_map = {"resourceType": "ConceptMap", "status": "draft", "group": [group]}
    assert full_issues(concept_map) == ["ConceptMap.group[0].source"]


def test_unknown_code_in_a_map_is_a_warning():
    target = {"code": "f", "equivalence": "equal"}
    group = {"source": GENDER, "target": GENDER, "element": [{"code": "m", "target": [target]}]}
    concept_map = {"resourceType": "ConceptMap", "status": "draft", "group": [group]}
    assert full_issues(concept_map) == []
    element = "ConceptMap.group[0].element[0]"
    assert {f"{element}.code", f"{element}.target[0].code"} <= set(full_issues(concept_map, "warning"))
