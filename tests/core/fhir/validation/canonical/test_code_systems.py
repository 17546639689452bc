"""Rules of CodeSystem."""

import pytest

from tests.core.fhir.validation.passes import full_issues

STANDARD = "http://hl7.org/fhir/concept-properties"


def code_system(**elements):
    return {"resourceType": "CodeSystem", "status": "draft", "content": "complete"} | elements


CONCEPTS = [{"code": "a", "concept": [{"code": "b"}]}]
WRONG = {
    "CodeSystem.content": code_system(supplements="http://loinc.org"),
    "CodeSystem.supplements": code_system(content="supplement"),
    "CodeSystem.concept": code_system(content="not-present", concept=CONCEPTS),
    "CodeSystem.count": code_system(count=3, concept=CONCEPTS),
    "CodeSystem.property[1].code": code_system(property=[{"code": "x", "type": "string"}, {"code": "x", "type": "code"}]),
    "CodeSystem.property[0].type": code_system(property=[{"code": "x", "uri": f"{STANDARD}#inactive", "type": "code"}]),
    "CodeSystem.property[1].uri": code_system(
        property=[{"code": each, "uri": f"{STANDARD}#inactive", "type": "boolean"} for each in "xy"]),
    "CodeSystem.concept[0].concept[0].property[0]": code_system(
        property=[{"code": "x", "type": "decimal"}],
        concept=[{"code": "a", "concept": [{"code": "b", "property": [{"code": "x", "valueInteger": 1}]}]}]),
    "CodeSystem.concept[0].property[0]": code_system(
        concept=[{"code": "a", "property": [{"code": "inactive", "valueString": "yes"}]}]),
}  # fmt: skip
RIGHT = {
    "count of all": code_system(count=2, concept=CONCEPTS),
    "count of more than a fragment has": code_system(content="fragment", count=9, concept=CONCEPTS),
    "count of a grammar": code_system(compositional=True, count=1, concept=CONCEPTS),
    "supplement": code_system(content="supplement", supplements="http://loinc.org"),
    "property of the type Coding": code_system(
        property=[{"code": "x", "type": "Coding"}],
        concept=[{"code": "a", "property": [{"code": "x", "valueCoding": {"code": "y"}}]}]),
    "property that is not declared": code_system(concept=[{"code": "a", "property": [{"code": "z", "valueInteger": 1}]}]),
}  # fmt: skip


@pytest.mark.parametrize("place", WRONG)
def test_code_system_that_contradicts_itself_is_rejected(place):
    assert full_issues(WRONG[place]) == [place]


@pytest.mark.parametrize("resource", RIGHT.values(), ids=RIGHT.keys())
def test_other_code_system_is_accepted(resource):
    assert full_issues(resource) == []
