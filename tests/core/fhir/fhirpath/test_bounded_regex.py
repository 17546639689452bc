"""Regular expressions of bounded cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir import PathError, PathFailed, compile_path
from tests.support.fhirpath_evaluation import evaluate_single

CATASTROPHIC = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "([a-z]+)*\\\\d", "((a*)*)*b"]


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_catastrophic_pattern_ends(pattern):
    text = "a" * 400 + "!"
    path = compile_path(f"Patient.id.matches('^{pattern}')", "Patient")
    try:
        assert path.evaluate({"resourceType": "Patient", "id": text}) == [False]
    except PathFailed as error:
        assert "too long" in str(error)


def test_slow_pattern_fails_on_long_text():
    path = compile_path("Patient.id.replaceMatches('.*a.*b.*c', 'x')", "Patient")
    assert path.evaluate({"resourceType": "Patient", "id": "abc"}) == ["x"]
    with pytest.raises(PathFailed):
        path.evaluate({"resourceType": "Patient", "id": "a" * 100_000})


@pytest.mark.parametrize("pattern", ["(", "a{1,99999}{1,9999}", "(?P<x>", "a" * 2000, "[z-a]", "(a*)*\\\\1"])
def test_invalid_pattern_raises_path_error(pattern):
    with pytest.raises(PathError):
        compile_path(f"'x'.matches('{pattern}')").evaluate({"resourceType": "Patient"})


@given(
    st.text("ab", max_size=12),
    st.sampled_from(["(a+)+b", "(a|ab)*", "(?:a*b?){2,3}", "^(ab)*$", "a{1,3}(b|a)+", "[^a]+(a+)*"]),
)
def test_automaton_agrees_with_re(text, pattern):
    import re

    assert evaluate_single(f"'{text}'.matches('{pattern}')") is bool(re.search(pattern, text))
    assert evaluate_single(f"'{text}'.matchesFull('{pattern}')") is bool(re.fullmatch(pattern, text))
