"""Expressions and resources that mean harm: refused or stopped, never endless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import PathError, PathFailed, compile_path
from tests.core.fhir.samples import patient

TOO_DEEP = {
    "parentheses": "(" * 5000 + "1" + ")" * 5000,
    "signs": "-" * 5000 + "1",
    "calls": "exists(" * 1000 + ")" * 1000,
    "steps": "Patient" + ".children()" * 1000,
    "indexes": "Patient" + "[0]" * 1000,
    "sum": "1" + "+1" * 1000,
    "length": "'" + "a" * 30000 + "'",
}


@pytest.mark.parametrize("expression", TOO_DEEP.values(), ids=TOO_DEEP.keys())
def test_an_expression_that_is_too_deep_or_too_long_is_refused(expression):
    with pytest.raises(PathError):
        compile_path(expression, "Patient")


ENDLESS = {
    "repeat that always finds more": "1.repeat($this + 1)",
    "loops in loops": "descendants().select(%resource.descendants().select(%resource.descendants().select(1)))",
    "text that doubles": "repeat(children()).children().combine(descendants()).aggregate($total & $total, 'aaaaaaaa')",
    "replace that grows": "('a' | 'b').aggregate($total.replace('', $total), 'aaaaaaaaaaaaaaaa')"
    ".replace('', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb')",
}


@pytest.mark.parametrize("expression", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_expression_that_would_not_end_is_stopped(expression):
    resource = patient() | {"name": [{"given": [str(n) for n in range(60)]} for _ in range(40)]}
    try:
        found = compile_path(expression).evaluate(resource)
    except PathFailed as error:
        assert "more than" in str(error)
    else:
        assert all(len(value) <= 1_000_000 for value in found)


CATASTROPHIC = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "([a-z]+)*\\\\d", "((a*)*)*b"]


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_a_pattern_does_not_try_without_end(pattern):
    text = "a" * 400 + "!"
    path = compile_path(f"Patient.id.matches('^{pattern}')", "Patient")
    try:
        assert path.evaluate({"resourceType": "Patient", "id": text}) == [False]
    except PathFailed as error:
        assert "too long" in str(error)


def test_a_pattern_that_is_slow_on_long_texts_is_refused_there():
    path = compile_path("Patient.id.replaceMatches('.*a.*b.*c', 'x')", "Patient")
    assert path.evaluate({"resourceType": "Patient", "id": "abc"}) == ["x"]
    with pytest.raises(PathFailed):
        path.evaluate({"resourceType": "Patient", "id": "a" * 100_000})


@pytest.mark.parametrize("pattern", ["(", "a{1,99999}{1,9999}", "(?P<x>", "a" * 2000, "[z-a]", "(a*)*\\\\1"])
def test_a_pattern_that_cannot_be_used_is_refused(pattern):
    with pytest.raises(PathError):
        compile_path(f"'x'.matches('{pattern}')").evaluate({"resourceType": "Patient"})


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
def test_a_resource_that_is_not_r4_breaks_nothing(one, other, expression):
    names = ("name", "telecom", "birthDate", "generalPractitioner", "extension")
    resource = {"resourceType": "Patient", **dict.fromkeys(names, one), "_birthDate": other}
    try:
        assert isinstance(compile_path(expression, "Patient").evaluate(resource), list)
    except PathFailed as error:
        assert str(error)


def test_a_resource_that_is_too_deep_is_refused():
    deep: dict = {"url": "x"}
    for _ in range(3000):
        deep = {"url": "x", "extension": [deep]}
    resource = {"resourceType": "Patient", "extension": [deep]}
    assert len(compile_path("descendants().url", "Patient").evaluate(resource)) > 3000
    with pytest.raises(PathFailed):
        compile_path("extension.distinct()", "Patient").evaluate(resource)
