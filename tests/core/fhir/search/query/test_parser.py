"""Parsing of search parameters."""

import pytest

from esante.core.fhir.search import parse_query
from esante.core.web import Problem

REFUSED = [
    ("Observation", "_filter", "code eq 1", "_filter"),
    ("Observation", "_text", "a", "_text"),
    ("Observation", "_content", "a", "_content"),
    ("Observation", "_query", "a", "_query"),
    ("Observation", "_list", "a", "_list"),
    ("Location", "near", "49|6", "near"),
    ("Observation", "code:below", "a", "code:below"),
    ("Observation", "code:exact", "a", "code:exact"),
    ("Observation", "code:", "a", "code:"),
    ("Observation", "code:in", "http://example.org/ValueSet/unknown", "code:in"),
    ("Observation", "code:of-type", "a|b|c", "code:of-type"),
    ("Observation", "identifier:of-type", "a|b", "identifier:of-type"),
    ("Observation", "code", "a|b|c", "code"),
    ("Observation", "date", "2026-13", "date"),
    ("Observation", "date", "2026-02-30", "date"),
    ("Observation", "date", "2026-02-01T10", "date"),
    ("Observation", "date", "yesterday", "date"),
    ("Observation", "value-quantity", "5|g", "value-quantity"),
    ("Observation", "value-quantity", "five", "value-quantity"),
    ("Observation", "value-quantity", "1e999", "value-quantity"),
    ("RiskAssessment", "probability", "NaN", "probability"),
    ("Observation", "code-value-quantity", "a", "code-value-quantity"),
    ("Observation", "subject:Medication", "a", "subject:Medication"),
    ("Observation", "date.code", "a", "date.code"),
    ("Observation", "subject:Medication.code", "a", "subject:Medication.code"),
    ("Observation", "method:missing", "yes", "method:missing"),
    ("Observation", "_has:Nothing:subject:code", "a", "_has:Nothing:subject:code"),
    ("Observation", "_has:Provenance:recorded:agent", "a", "_has:Provenance:recorded:agent"),
    ("Observation", "_sort", "code-value-quantity", "_sort"),
    ("Observation", "_count", "-1", "_count"),
    ("Observation", "_total", "maybe", "_total"),
    ("Observation", "_summary", "short", "_summary"),
    ("Observation", "_elements", "nothing", "_elements"),
    ("Observation", "_contained", "true", "_contained"),
    ("Observation", "_include", "Observation:code", "_include"),
    ("Observation", "_include:recurse", "Observation:subject", "_include:recurse"),
    ("Observation", "_revinclude", "*", "_revinclude"),
    ("Observation", "focus.focus.focus.focus.focus.code", "a", "focus"),
    ("Observation", "code", ",".join("a" * 2_001), "code"),
    ("Observation", "focus", ",".join("a" * 20), "focus"),
    ("Observation", "code", "a\x00b", "code"),
    ("Observation", "value-string", "\ufffd", "value-string"),
]


@pytest.mark.parametrize(("type_", "name", "value", "place"), REFUSED, ids=[f"{n}={v:.20}" for _, n, v, _ in REFUSED])
def test_unsupported_search_is_refused_with_place_and_remedy(type_, name, value, place):
    for strict in (True, False):
        with pytest.raises(Problem) as refused:
            parse_query(type_, [(name, value)], strict=strict)
        assert refused.value.status == 400
        assert place in refused.value.place
        assert refused.value.title
        assert refused.value.remedy


@pytest.mark.parametrize("name", ["code", "code:not", "_id:not", "value-string", "_elements", "subject:Patient.name"])
@pytest.mark.parametrize("value", ["", ",", ",,,"])
def test_parameter_without_value_is_refused_if_strict_else_ignored(name, value):
    with pytest.raises(Problem):
        parse_query("Observation", [("status", "final"), (name, value)], strict=True)
    query = parse_query("Observation", [("status", "final"), (name, value)])
    assert (query.ignored, len(query.conditions)) == ((f"{name}=",), 1)


def test_unknown_parameter_is_refused_if_strict_else_ignored():
    pairs = [
        ("code", "a"),
        ("colour", "red"),
        ("subject:Patient.colour", "b"),
        ("_sort", "colour,-date"),
        ("status", ""),
    ]
    with pytest.raises(Problem, match="not supported"):
        parse_query("Observation", pairs, strict=True)
    query = parse_query("Observation", pairs)
    assert set(query.ignored) == {"colour", "subject:Patient.colour", "_sort=colour", "status="}
    assert query.pairs == (("code", "a"), ("_sort", "colour,-date"))
    assert [sort.parameter.code for sort in query.sort] == ["date"]
