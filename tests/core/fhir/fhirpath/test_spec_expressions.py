"""The expressions of R4's definitions."""

import pytest

from esante.core.fhir import compile_path
from esante.core.fhir.definitions import invariants
from esante.core.fhir.fhirpath.spec_expressions import iterate_spec_expressions
from esante.core.fhir.validation.invariants import NOT_EMPTY

ABSENT = {"extension": [{"url": "http://x.test/why", "valueCode": "unknown"}]}


def test_every_expression_of_definitions_compiles():
    assert (
        len({compile_path(expression, type_).expression for _, expression, type_ in iterate_spec_expressions()}) > 1400
    )


@pytest.mark.parametrize("value", [{"id": "a"}, {"id": "a", "text": "b"}, {"text": "b"}, {"_text": ABSENT}])
def test_not_empty_condition_agrees_with_ele_1(value):
    (stated,) = (i for i in invariants() if (i.path, i.key) == ("Element", "ele-1"))
    holds = compile_path(stated.expression, "CodeableConcept").test(value)
    assert holds is bool(eval(NOT_EMPTY, {"d": value}))
