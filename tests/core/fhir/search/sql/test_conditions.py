"""Conditions of search parameters, case by case."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.fhir.search import execute_query, parse_query
from tests.core.fhir.samples import observation
from tests.support.search_population import amount
from tests.support.search_records import count_matches, store_resources
from tests.support.search_tables import UCUM

CASES = [
    ("code", "2823-3", True),
    ("code", "http://loinc.org|2823-3", True),
    ("code", "http://loinc.org|", True),
    ("code", "|2823-3", False),
    ("code", "other,2823-3", True),
    ("code:not", "other,2823-3", False),
    ("method:not", "other", True),
    ("code:text", "potas", True),
    ("code:text", "tassium", False),
    ("code", "http://LOINC.org|2823-3", False),
    ("status", "FINAL", True),
    ("status", "http://hl7.org/fhir/observation-status|final", True),
    ("status", "http://hl7.org/fhir/observation-status|amended", False),
    ("status", "|final", True),
    ("status:in", "http://hl7.org/fhir/ValueSet/observation-status", True),
    ("status:not-in", "http://hl7.org/fhir/ValueSet/observation-status|4.0.1", False),
    ("identifier", "urn:i|x-1", True),
    ("identifier:of-type", "urn:ty|MR|X-1", True),
    ("identifier:of-type", "urn:ty|MR|X-2", False),
    ("identifier:text", "record", True),
    ("value-quantity", "1500|http://unitsofmeasure.org|mg", True),
    ("value-quantity", "0.0015|http://unitsofmeasure.org|kg", True),
    ("value-quantity", "1500||mg", False),
    ("value-quantity", "1.5||g", True),
    ("value-quantity", "1.5", True),
    ("value-quantity", "1.49", False),
    ("value-quantity", "3", False),
    ("value-quantity", "1|http://unitsofmeasure.org|g", False),
    ("value-quantity", "gt1.49999|http://unitsofmeasure.org|g", True),
    ("value-quantity", "gt1500|http://unitsofmeasure.org|mg", False),
    ("value-quantity", "ge1500|http://unitsofmeasure.org|mg", True),
    ("value-quantity", "ap1.4|http://unitsofmeasure.org|g", True),
    ("value-quantity", "1.5|http://unitsofmeasure.org|m", False),
    ("date", "2026-03-02", True),
    ("date", "2026-03-02T08:15:00+01:00", True),
    ("date", "2026-03-02T07:15:00Z", True),
    ("date", "2026-03-02T07:15Z", True),
    ("date", "2026-03-02T07:15:01Z", False),
    ("date", "ne2026-03", False),
    ("date", "ge2026-03-02", True),
    ("date", "gt2026-03-02", False),
    ("date", "sa2026-03-01", True),
    ("date", "eb2026-03-02", False),
    ("date", "lt2026-03-03", True),
    ("patient", "p1", True),
    ("patient", "Patient/p1", True),
    ("subject:Patient", "p1", True),
    ("subject:Group", "p1", False),
    ("subject", "Group/p1", False),
    ("_tag", "urn:t|tag", True),
    ("_profile", "http://a.example/p/one", True),
    ("_profile", "http://a.example/p/one|2.0", True),
    ("_profile", "http://a.example/p/one|1.0", False),
    ("_profile:below", "http://a.example/p", True),
    ("_profile:below", "http://a.example/p/on", False),
    ("_profile:above", "http://a.example/p/one/two", True),
    ("_profile:above", "http://a.example/p/one|2.0", True),
    ("_profile:above", "http://a.example/p/one|2.0/more", False),
    ("_profile:above", "http://a.example/p/one/two|1.0", True),
    ("_profile:below", "http://a.example/p/one|2.0", True),
    ("_profile:below", "http://a.example/p/one|2", False),
    ("_lastUpdated", "2026-03-02T10:30:15.123456Z", True),
    ("_lastUpdated", "2026-03-02T10:30:15Z", True),
    ("_lastUpdated", "gt2026-03-02T10:30:15.123456Z", False),
    ("_lastUpdated", "ge2026-03-02T10:30:15.123456Z", True),
    ("code-value-quantity", "http://loinc.org|2823-3$ge1.5", True),
    ("code-value-quantity", "http://loinc.org|2823-3$gt1.5", False),
    ("component-code:missing", "false", True),
    ("method:missing", "true", True),
    ("code:missing", "true", False),
    ("_id:missing", "true", False),
]


@pytest.mark.parametrize(("name", "value", "found"), CASES, ids=[f"{n}={v}" for n, v, _ in CASES])
async def test_condition_matches_as_specified(db, scope, name, value, found):
    assert await count_matches(db, scope, "Observation", (name, value)) == found


async def test_reference_with_own_base_url_matches(db, scope):
    base = "https://esante.example/fhir"
    for text in (f"{base}/Patient/p1", "Patient/p1/_history/3"):
        query = parse_query("Observation", [("patient", text)], base_url=base)
        assert (await execute_query(db, query, scope)).total == 1
    other = parse_query("Observation", [("patient", "https://other.example/fhir/Patient/p1")], base_url=base)
    assert (await execute_query(db, other, scope)).total == 0


@pytest.mark.parametrize("unit", ["kPa", "g", "mmol/L", "[lb_av]"])
async def test_a_number_of_many_digits_equals_itself(db, unit):
    digits = "15.73921270837532561364123456789"
    scope = await store_resources(db, {**observation(), "valueQuantity": amount(digits, unit)})
    for prefix in ("", "ge", "le"):
        wanted = f"{prefix}{digits}|{UCUM}|{unit}"
        assert await count_matches(db, scope, "Observation", ("value-quantity", wanted)) == 1
    for prefix in ("ne", "gt", "lt"):
        wanted = f"{prefix}{digits}|{UCUM}|{unit}"
        assert await count_matches(db, scope, "Observation", ("value-quantity", wanted)) == 0


async def test_parts_of_a_composite_may_be_references(db):
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "relatesTo": [
            {"code": "replaces", "target": {"reference": "DocumentReference/old"}},
            {"code": "appends", "target": {"reference": "DocumentReference/other"}},
        ],
        "content": [{"attachment": {"url": "http://a.example"}}],
    }
    scope = await store_resources(db, document)
    for value, found in (("replaces$DocumentReference/old", 1), ("replaces$old", 1), ("replaces$other", 0)):
        assert await count_matches(db, scope, "DocumentReference", ("relationship", value)) == found


SYMBOLS = st.text(
    st.characters(codec="utf-8", categories=("P", "S", "M"), exclude_characters="\ufffd").filter(
        lambda each: not any(one.isalnum() for one in unicodedata.normalize("NFKD", each))
    ),
    min_size=1,
    max_size=3,
)
"""Texts of which the normalization of searches leaves nothing: symbols that do not stand for letters, as a circled N."""


def escaped(text):
    """Return a text as a search value: its marks of the search syntax are escaped."""
    return "".join(f"\\{each}" if each in "\\,$|" else each for each in text)


@settings(max_examples=40, deadline=None)
@given(text=SYMBOLS)
async def test_string_of_symbols_never_matches_texts_without_them(db, text):
    scope = await store_resources(db, {**observation(), "valueString": "negative"})
    for name in ("value-string", "value-string:contains", "value-string:exact", "code:text"):
        assert await count_matches(db, scope, "Observation", (name, escaped(text))) == 0, name


@pytest.mark.parametrize("text", ["+", "-", "?", "*", "~", "%", "…", "_", "\u0301", "\U0001f44d", "+,?", "\\,"])
async def test_string_of_symbols_alone_matches_if_exact_only(db, text):
    plain = "," if text == "\\," else text.partition(",")[0]
    scope = await store_resources(db, *({**observation(), "valueString": each} for each in (plain, "negative")))
    for name, found in (("value-string", 0), ("value-string:contains", 0), ("value-string:exact", 1)):
        assert await count_matches(db, scope, "Observation", (name, text)) == found, name
    assert await count_matches(db, scope, "Observation", ("value-string", f"{text},neg")) == 1


@pytest.mark.parametrize(
    ("effective", "found", "missed"),
    [
        ("2026-07-01T00:15:00+02:00", ["2026-07-01", "2026-07", "ge2026-07-01"], ["2026-06-30", "2026-06"]),
        ("2026-06-30T22:15:00Z", ["2026-07-01", "2026-07"], ["2026-06-30", "lt2026-07-01"]),
        ("2026-01-01T00:30:00+01:00", ["2026", "2026-01-01"], ["2025", "2025-12-31"]),
        ("2026-07-01", ["2026-07-01", "2026-07", "2026"], ["2026-06-30", "2026-07-02"]),
    ],
)
async def test_days_of_searches_are_those_of_the_server(db, effective, found, missed):
    scope = await store_resources(db, {**observation(), "effectiveDateTime": effective})
    for texts, total in ((found, 1), (missed, 0)):
        for text in texts:
            assert await count_matches(db, scope, "Observation", ("date", text)) == total, text
