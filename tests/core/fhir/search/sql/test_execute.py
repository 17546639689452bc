"""Execution of searches."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esante.core.fhir.search import execute_query, parse_query
from esante.core.web import Problem
from tests.core.fhir.samples import observation
from tests.support.search_records import store_resources


async def test_external_chain_without_external_search_is_refused(db, scope):
    query = parse_query("Observation", [("subject:Patient.name", "weber")])
    with pytest.raises(Problem) as refused:
        await execute_query(db, query, scope)
    assert (refused.value.status, refused.value.place) == (400, "subject.name")
    calls = []

    async def outside(type_, name, value):
        calls.append((type_, name, value))
        return ["Patient/p1"]

    assert (await execute_query(db, query, scope, outside)).total == 1
    assert calls == [("Patient", "name", "weber")]


async def test_counts_and_totals(db):
    scope = await store_resources(db, *[{**observation(), "status": "final"} for _ in range(5)])
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
async def test_any_query_is_answered_or_refused(db, scope, pairs):
    for type_ in ("Observation", "Practitioner"):
        try:
            await execute_query(db, parse_query(type_, pairs), scope, nobody)
        except Problem as refused:
            assert refused.status == 400
