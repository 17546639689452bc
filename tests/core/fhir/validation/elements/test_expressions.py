"""Expressions in FHIRPath."""

import pytest

from tests.core.fhir.samples import patient
from tests.core.fhir.validation.passes import full_issues


def with_expression(language, text):
    value = {"language": language, "expression": text}
    return patient() | {"extension": [{"url": "http://x.test/rule", "valueExpression": value}]}


@pytest.mark.parametrize(
    ("language", "text", "is_right"),
    [("text/fhirpath", "name.exists() and %x > 1", True), ("text/fhirpath", "$ and %x", False), ("text/fhirpath", "name.where(", False),
     ("text/cql", "define X: $", True)],
)  # fmt: skip
def test_expression_in_fhirpath_is_parsed(language, text, is_right):
    expected = [] if is_right else ["Patient.extension[0].value.ofType(Expression).expression"]
    assert full_issues(with_expression(language, text)) == expected


def test_element_that_is_fhirpath_by_definition_is_parsed():
    graph = {"resourceType": "GraphDefinition", "name": "G", "status": "draft", "start": "Patient"}
    assert full_issues(graph | {"link": [{"path": "name("}]}) == ["GraphDefinition.link[0].path"]
    assert full_issues(graph | {"link": [{"path": "Patient.link.other"}]}) == []
