"""Rules of SearchParameter and of search parameters in a CapabilityStatement."""

import pytest

from tests.core.fhir.validation.passes import full_issues

R4 = "http://hl7.org/fhir/SearchParameter"
PART = {"definition": f"{R4}/Observation-code", "expression": "code"}


def parameter(**elements):
    base = {
        "resourceType": "SearchParameter",
        "url": "http://x.test/s",
        "name": "S",
        "status": "draft",
        "description": "x",
    }
    return (
        base | {"code": "s", "base": ["Organization"], "type": "string", "expression": "Organization.name"} | elements
    )


RIGHT = {
    "plain": parameter(),
    "derived": parameter(derivedFrom=f"{R4}/Organization-name"),
    "derived from one of others": parameter(derivedFrom="http://x.test/other", type="token"),
    "derived from one of all types": parameter(type="token", derivedFrom=f"{R4}/Resource-id", expression="Resource.id"),
    "of two types": parameter(base=["Patient", "Person"], expression="Patient.name | Person.name"),
    "of any type": parameter(base=["Patient", "Group"], expression="name"),
    "in brackets": parameter(base=["Observation"], expression="(Observation.value as string)"),
    "without an expression": {name: value for name, value in parameter().items() if name != "expression"},
    "composite": parameter(type="composite", base=["Observation"], expression="Observation", component=[PART, PART]),
}  # fmt: skip
WRONG = {
    "SearchParameter.type": parameter(type="token", derivedFrom=f"{R4}/Organization-name|4.0.1"),
    "SearchParameter.base": parameter(
        base=["Person"], expression="Person.name", derivedFrom=f"{R4}/Organization-name"
    ),
    "SearchParameter.expression": parameter(base=["Patient"]),
    "SearchParameter.component": parameter(type="composite", component=[PART]),
}


@pytest.mark.parametrize("resource", RIGHT.values(), ids=RIGHT.keys())
def test_consistent_search_parameter_is_accepted(resource):
    assert full_issues(resource) == []


@pytest.mark.parametrize("place", WRONG)
def test_search_parameter_against_its_definition_is_rejected(place):
    assert full_issues(WRONG[place]) == [place]


@pytest.mark.parametrize(("type_", "is_right"), [("token", True), ("date", False)])
def test_search_parameter_of_a_server_has_the_type_of_its_definition(type_, is_right):
    searched = [{"name": "status", "type": type_, "definition": f"{R4}/AllergyIntolerance-clinical-status"}]
    rest = {"mode": "server", "resource": [{"type": "AllergyIntolerance", "searchParam": searched}]}
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "draft",
        "date": "2026",
        "kind": "requirements",
        "description": "x",
    }
    statement |= {"fhirVersion": "4.0.1", "format": ["json"], "rest": [rest]}
    expected = [] if is_right else ["CapabilityStatement.rest[0].resource[0].searchParam[0].type"]
    assert full_issues(statement) == expected
