"""What searches mean, case by case; what they refuse, and how."""

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esante.core.fhir import decode, encode
from esante.core.fhir.search import SearchScope, execute_query, index_json, index_resource, parse_query
from esante.core.fhir.store import RESOURCE
from esante.core.storage import insert
from esante.core.web import Problem, decode_cursor, encode_cursor
from tests.core.fhir.samples import observation
from tests.core.fhir.search_population import END_OF_TIME, amount, concept
from tests.core.fhir.search_tables import UCUM

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SINCE = datetime(2026, 3, 2, 10, 30, 15, 123456, tzinfo=UTC)


def row(person, resource, source=None, since=SINCE):
    body = encode(resource)
    key, type_ = uuid.uuid4(), resource["resourceType"]
    values = (person, type_, key, source or uuid.uuid4(), 1, since, END_OF_TIME, False, body, index_json(decode(body)))
    return RESOURCE, values


async def keep(db, *resources, since=SINCE):
    """A new person with some resources; gives the scope of all that is hers."""
    person = uuid.uuid4()
    async with db.transaction() as conn:
        await insert(conn, [row(person, each, since=since) for each in resources])
    return SearchScope(person, NOW)


async def total(db, scope, type_, *pairs):
    return (await execute_query(db, parse_query(type_, pairs, strict=True), scope)).total


OBSERVATION = {
    **observation(),
    "meta": {"profile": ["http://a.example/p/one|2.0"], "tag": [{"system": "urn:t", "code": "Tag"}]},
    "identifier": [{"system": "urn:i", "value": "X-1", "type": concept(("urn:ty", "MR", None), text="Record number")}],
    "valueQuantity": amount("1.5", "g"),
    "note": [{"text": "x"}],
}
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


@pytest.fixture(scope="module")
async def scope(db):
    return await keep(db, OBSERVATION)


@pytest.mark.parametrize(("name", "value", "found"), CASES, ids=[f"{n}={v}" for n, v, _ in CASES])
async def test_what_a_search_means(db, scope, name, value, found):
    assert await total(db, scope, "Observation", (name, value)) == found


async def test_our_own_address_before_a_reference_makes_no_difference(db, scope):
    base = "https://esante.example/fhir"
    for text in (f"{base}/Patient/p1", "Patient/p1/_history/3"):
        query = parse_query("Observation", [("patient", text)], base_url=base)
        assert (await execute_query(db, query, scope)).total == 1
    other = parse_query("Observation", [("patient", "https://other.example/fhir/Patient/p1")], base_url=base)
    assert (await execute_query(db, other, scope)).total == 0


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
]


@pytest.mark.parametrize(("type_", "name", "value", "place"), REFUSED, ids=[f"{n}={v:.20}" for _, n, v, _ in REFUSED])
def test_what_cannot_be_done_is_said_with_place_and_remedy(type_, name, value, place):
    for strict in (True, False):
        with pytest.raises(Problem) as refused:
            parse_query(type_, [(name, value)], strict=strict)
        assert refused.value.status == 400
        assert place in refused.value.place
        assert refused.value.title
        assert refused.value.remedy


def test_unknown_parameters_are_refused_in_strict_handling_and_else_told_of():
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
    assert set(query.ignored) == {"colour", "subject:Patient.colour", "_sort=colour"}
    assert query.pairs == (("code", "a"), ("_sort", "colour,-date"))
    assert [sort.parameter.code for sort in query.sort] == ["date"]


async def test_a_chain_out_of_the_record_needs_somebody_who_looks_there(db, scope):
    query = parse_query("Observation", [("subject:Patient.name", "weber")])
    with pytest.raises(Problem) as refused:
        await execute_query(db, query, scope)
    assert (refused.value.status, refused.value.place) == (400, "subject.name")
    asked = []

    async def outside(type_, name, value):
        asked.append((type_, name, value))
        return ["Patient/p1"]

    assert (await execute_query(db, query, scope, outside)).total == 1
    assert asked == [("Patient", "name", "weber")]


async def test_counts_and_totals(db):
    scope = await keep(db, *[{**observation(), "status": "final"} for _ in range(5)])
    page = await execute_query(db, parse_query("Observation", [("_count", "2")]), scope)
    assert (len(page.matches), page.total) == (2, 5)
    page = await execute_query(db, parse_query("Observation", [("_count", "2"), ("_total", "none")]), scope)
    assert (len(page.matches), page.total, page.next_cursor is None) == (2, None, False)
    assert len({row.id for row in page.matches}) == 2
    page = await execute_query(db, parse_query("Observation", [("status", "amended"), ("_total", "none")]), scope)
    assert (page.matches, page.total, page.next_cursor) == ((), None, None)
    for pairs in ([("_count", "0")], [("_summary", "count")]):
        page = await execute_query(db, parse_query("Observation", pairs), scope)
        assert (page.matches, page.total, page.next_cursor) == ((), 5, None)
    assert parse_query("Observation", [("_count", "100000")]).count == 200


async def test_all_references_are_included_up_to_a_bound(db, monkeypatch):
    encounter = {"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}}
    person, source = uuid.uuid4(), uuid.uuid4()
    targets = [row(person, encounter, source) for _ in range(12)]
    pointing = [
        row(person, {**observation(), "encounter": {"reference": f"Encounter/{person.hex}{values[2].hex}"}}, source)
        for _, values in targets
    ]
    async with db.transaction() as conn:
        await insert(conn, [*targets, *pointing])
    page = await execute_query(db, parse_query("Observation", [("_include", "*")]), SearchScope(person, NOW))
    assert ({r.id for r in page.included}, page.external_references, page.truncated) == (
        {v[2] for _, v in targets},
        ("Patient/p1",),
        False,
    )
    monkeypatch.setattr("esante.core.fhir.search.sql.includes.MAX_INCLUDED", 5)
    page = await execute_query(db, parse_query("Observation", [("_include", "*")]), SearchScope(person, NOW))
    assert (len(page.included), page.truncated) == (5, True)


# Cursors


@pytest.fixture(scope="module")
async def paged(db):
    scope = await keep(db, *[{**observation(), "valueQuantity": amount(str(n), "g")} for n in range(6)])
    pairs = [("_sort", "-value-quantity,code,date,_lastUpdated"), ("_count", "2")]
    return scope, pairs, (await execute_query(db, parse_query("Observation", pairs), scope)).next_cursor


async def test_a_cursor_is_of_its_search_and_of_its_day(db, paged):
    scope, pairs, cursor = paged
    following = await execute_query(db, parse_query("Observation", [*pairs, ("_cursor", cursor)]), scope)
    assert len(following.matches) == 2
    others = (
        ("Observation", [("_sort", "date"), ("_cursor", cursor)], scope),
        ("Condition", [("_cursor", cursor)], scope),
        ("Observation", [*pairs, ("code", "x"), ("_cursor", cursor)], scope),
        ("Observation", [*pairs, ("_cursor", cursor)], SearchScope(scope.person_id, NOW + timedelta(days=2))),
        ("Observation", [*pairs, ("_cursor", cursor)], SearchScope(scope.person_id, NOW - timedelta(minutes=1))),
    )
    for type_, other, at in others:
        with pytest.raises(Problem, match="does not exist"):
            await execute_query(db, parse_query(type_, other), at)


PARTS = st.one_of(st.integers(), st.text(max_size=20), st.none(), st.floats(allow_nan=False), st.booleans())


@settings(max_examples=50)
@given(st.one_of(st.text(), st.lists(PARTS, max_size=5)), st.integers(0, 3), PARTS)
@example([], 2, '["1e400", "x", 1, 2]')
@example([], 2, '["NaN", "x", 1, 2]')
@example([], 2, '["1", "a\\u0000b", 1, 2]')
@example([], 2, '["1", "a", 9223372036854775808, 2]')
@example([], 2, '["1", "a", 1, 1e300]')
@example([], 0, 2**63)
@example([], 3, "g" * 32)
async def test_a_tampered_cursor_is_refused_or_finds_what_is_hers(db, paged, made_up, place, part):
    scope, pairs, cursor = paged
    parts = decode_cursor(cursor, int, str, str, str)
    changed = made_up if isinstance(made_up, list) and made_up else [*parts[:place], part, *parts[place + 1 :]]
    try:
        cursor = made_up if isinstance(made_up, str) and made_up else encode_cursor(*changed)
    except TypeError:
        return  # no JSON, and so no cursor
    try:
        page = await execute_query(db, parse_query("Observation", [*pairs, ("_cursor", cursor)]), scope)
    except Problem as refused:
        assert refused.status == 400
    else:
        assert page.total == 6


# Anything at all

NAMES = st.sampled_from(
    ["code", "code:text", "code:not", "date", "value-quantity", "value-string", "value-string:contains", "subject", "_id",
     "_lastUpdated", "_profile:below", "_tag", "combo-code-value-quantity", "encounter.status", "_has:Provenance:target:agent",
     "performer:Practitioner.name", "identifier:of-type", "_sort", "_count", "_elements", "_include", "_cursor", "_total"]
) | st.text(max_size=20)  # fmt: skip
VALUES = st.text(max_size=40) | st.sampled_from(
    ["', '", "%' OR 1=1 --", "\\", "\\,", "$", "||", "a$b", "ne9999-12-31T23:59:60Z", "gt1e300", "ap-1e250", "9" * 40,
     "0001-01-01T00:00:00+14:00", "ap0001", "1e-300|http://unitsofmeasure.org|Ym50", "{}", "[]", "\ud7ff", "\U0010ffff" * 3]
)  # fmt: skip


async def nobody(type_, name, value):
    return []


@settings(max_examples=150)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
@example([("value-quantity", "1e249|http://unitsofmeasure.org|Ymol")])
@example([("_sort", "value-quantity"), ("value-quantity", "ap1e249")])
@example([("code", "\ud800")])
async def test_whatever_is_asked_is_answered_or_refused(db, scope, pairs):
    for type_ in ("Observation", "Practitioner"):
        try:
            await execute_query(db, parse_query(type_, pairs), scope, nobody)
        except Problem as refused:
            assert refused.status == 400


# Values


@given(
    st.recursive(
        PARTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    )
)
def test_of_what_is_not_r4_nothing_is_indexed_that_a_database_would_refuse(value):
    for name in ("code", "status", "valueQuantity", "effectiveDateTime", "subject", "component", "identifier", "meta"):
        text = index_json({**observation(), name: value})
        assert "\\u0000" not in text
        assert "NaN" not in text


async def test_numbers_without_measure_are_kept_out_of_the_index(db):
    odd = [
        Decimal("1e-300"),
        Decimal("1e300"),
        Decimal("-1e245"),
        Decimal("9" * 60),
        10**400,
        1e308,
        Decimal("0E-400"),
    ]
    units = ["g", "Ymol50", "ag50", "mmol/L"]
    scope = await keep(
        db, *[{**observation(), "valueQuantity": {**amount("1", u), "value": n}} for n in odd for u in units]
    )
    assert await total(db, scope, "Observation", ("value-quantity", "gt0"), ("_sort", "value-quantity")) >= 4


def test_the_index_has_a_key_for_each_path_and_no_value_twice():
    twice = {
        **observation(),
        "category": [concept(("urn:a", "B", "Same")), concept(("urn:a", "b", "same"), text="SAME")],
    }
    found = index_resource(decode(encode(twice)))
    assert found["category"] == {"b": ["urn:a"]}
    assert found["category:text"] == ["same"]
    assert found["subject"] == ["Patient/p1"]
    low, high, code, system, unit, dimension, *in_base = found["value.ofType(Quantity)"][0]
    assert (low, high, code, system, unit, dimension) == (Decimal("4.1"),) * 2 + ("mmol/L", UCUM, "mmol/L", "m-3")
    assert in_base == [Decimal("2.4690777116E+24")] * 2
    assert "component.value.ofType(Quantity)" not in found


@pytest.mark.parametrize("unit", ["kPa", "g", "mmol/L", "[lb_av]"])
async def test_a_number_of_many_digits_equals_itself(db, unit):
    digits = "15.73921270837532561364123456789"
    scope = await keep(db, {**observation(), "valueQuantity": amount(digits, unit)})
    for prefix in ("", "ge", "le"):
        wanted = f"{prefix}{digits}|{UCUM}|{unit}"
        assert await total(db, scope, "Observation", ("value-quantity", wanted)) == 1
    for prefix in ("ne", "gt", "lt"):
        wanted = f"{prefix}{digits}|{UCUM}|{unit}"
        assert await total(db, scope, "Observation", ("value-quantity", wanted)) == 0


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
    scope = await keep(db, document)
    for value, found in (("replaces$DocumentReference/old", 1), ("replaces$old", 1), ("replaces$other", 0)):
        assert await total(db, scope, "DocumentReference", ("relationship", value)) == found
