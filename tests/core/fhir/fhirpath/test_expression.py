"""Evaluation of compiled expressions over plain data."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import PathError, PathFailed, compile_path
from tests.core.fhir.samples import allergy, changed, observation, patient
from tests.support.fhirpath_evaluation import evaluate

ABSENT = {"extension": [{"url": "http://x.test/why", "valueCode": "unknown"}]}


def test_evaluate_returns_json_values_unchanged():
    value = {"value": Decimal("4.10"), "unit": "mmol/L"}
    resource = changed(observation(), "valueQuantity", value)
    assert evaluate("Observation.value.ofType(Quantity)", resource) == [value]
    assert str(evaluate("Observation.value.value", resource)[0]) == "4.10"
    assert evaluate("Observation.value.ofType(string)", resource) == []
    assert evaluate("Observation.component.value", resource) == ["clear"]


def test_typed_returns_type_of_each_result():
    path = compile_path("Observation.status | Observation.value | Observation.component.value", "Observation")
    assert [type_ for type_, _ in path.typed(observation())] == ["code", "Quantity", "string"]
    assert compile_path("Observation.effective", "Observation").types == {"dateTime", "Period", "Timing", "instant"}


def test_path_of_other_type_is_empty():
    union = "AllergyIntolerance.code | AllergyIntolerance.reaction.substance | Observation.code"
    assert evaluate(union, observation()) == [observation()["code"]]
    assert evaluate(union, allergy()) == [allergy()["code"]]


def test_primitive_with_extensions_only_exists_without_value():
    resource = changed(changed(patient(), "birthDate", None), "_birthDate", ABSENT)
    del resource["birthDate"]
    assert evaluate("Patient.birthDate", resource) == []
    assert evaluate("Patient.birthDate.exists()", resource) == [True]
    assert evaluate("Patient.birthDate.hasValue()", resource) == [False]
    assert evaluate("Patient.birthDate.extension('http://x.test/why').value", resource) == ["unknown"]


def test_unknown_type_raises_path_error():
    with pytest.raises(PathError, match="not a type"):
        compile_path("id", "Pacient")


FAILING = ["Patient.name.given.single()", "Patient.name.given + 'x'", "1 + 'x'", "%unknown", "(1 | 2).not()"]


@pytest.mark.parametrize("expression", FAILING)
def test_invalid_operation_raises_path_failed(expression):
    resource = changed(patient(), "name", [{"given": ["A", "B"]}])
    with pytest.raises(PathFailed):
        evaluate(expression, resource)


def test_context_supplies_variables():
    path = compile_path("$this.unit = %unit and %resource.status = 'final'", "Quantity")
    value = observation()["valueQuantity"]
    assert path.test(value, context={"resource": observation(), "unit": "mmol/L"})
    assert not path.test(value, context={"resource": observation(), "unit": "g"})


def test_undecided_condition_is_not_true():
    assert compile_path("birthDate < @1980-01-01T10:00:00", "Patient").test(changed(patient(), "birthDate", "1970"))
    unknown = compile_path("birthDate < @1980-06-01", "Patient")
    assert not unknown.test(changed(patient(), "birthDate", "1980"))
    assert unknown.evaluate(changed(patient(), "birthDate", "1980")) == []


def test_path_of_type_is_empty_on_resource_of_other_type():
    assert evaluate("Observation.id", observation()) == [observation()["id"]]
    assert compile_path("Observation.id", "Observation").evaluate(patient()) == []
    assert compile_path("Resource.id", "Resource").evaluate(patient()) == [patient()["id"]]
    assert compile_path("DomainResource.is(Patient)", "DomainResource").evaluate(patient()) == [True]


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["family", "given", "value", "url"]), below)
    ),
    max_leaves=6,
)
PATHS = [
    "Patient.name.family",
    "Patient.name.given",
    "Patient.telecom.where(system = 'phone').value",
    "Patient.generalPractitioner.where(resolve() is Organization)",
    "Patient.descendants()",
    "Patient.extension.value",
    "Patient.name.exists() and Patient.birthDate < today()",
]


@given(SHAPES, SHAPES, st.sampled_from(PATHS))
def test_invalid_r4_json_gives_list_or_path_failed(one, other, expression):
    names = ("name", "telecom", "birthDate", "generalPractitioner", "extension")
    resource = {"resourceType": "Patient", **dict.fromkeys(names, one), "_birthDate": other}
    try:
        assert isinstance(compile_path(expression, "Patient").evaluate(resource), list)
    except PathFailed as error:
        assert str(error)


def test_too_deep_resource_raises_path_failed():
    deep: dict = {"url": "x"}
    for _ in range(3000):
        deep = {"url": "x", "extension": [deep]}
    resource = {"resourceType": "Patient", "extension": [deep]}
    assert len(compile_path("descendants().url", "Patient").evaluate(resource)) > 3000
    with pytest.raises(PathFailed):
        compile_path("extension.distinct()", "Patient").evaluate(resource)
