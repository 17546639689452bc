"""Cursors of search pages."""

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esante.core.fhir.search import SearchScope, execute_query, parse_query
from esante.core.web import Problem, decode_cursor, encode_cursor
from tests.core.fhir.samples import observation
from tests.support.search_population import amount
from tests.support.search_records import NOW, store_resources


@pytest.fixture(scope="module")
async def paged(db):
    scope = await store_resources(db, *[{**observation(), "valueQuantity": amount(str(n), "g")} for n in range(6)])
    pairs = [("_sort", "-value-quantity,code,date,_lastUpdated"), ("_count", "2")]
    return scope, pairs, (await execute_query(db, parse_query("Observation", pairs), scope)).next_cursor


async def test_cursor_of_other_search_or_time_is_refused(db, paged):
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
async def test_tampered_cursor_is_refused_or_stays_in_record(db, paged, made_up, place, part):
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
