"""Searches over a database answer what a naive reading of the specification answers, for queries that nobody chose."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.fhir.search import Scope, parse, run
from esante.storage import insert
from tests.fhir.search_oracle import Oracle
from tests.fhir.search_population import NOW, PERSON, SOURCES, population, rows
from tests.fhir.search_queries import OUTSIDE, Queries


async def outside(type_, name, value):
    return OUTSIDE.get((type_, name, value), [])


async def pages(db, type_, pairs, scope, limit):
    """All matches of a search, page by page, and the totals that the pages told."""
    found, totals, cursor = [], set(), []
    while True:
        page = await run(db, parse(type_, [*pairs, ("_count", str(limit)), *cursor], strict=True), scope, outside)
        found += page.matches
        totals.add(page.total)
        if page.next is None:
            return found, totals
        assert len(page.matches) == limit
        cursor = [("_cursor", page.next)]


async def held_to_the_oracle(db, queries, stored, rng):
    type_, pairs = queries.make(rng)
    sources = rng.choice([None, None, frozenset(rng.sample(SOURCES, rng.randint(0, 4)))])
    at = NOW if rng.random() < 0.8 else rng.choice(stored).since
    oracle = Oracle(stored, PERSON, at, sources, lambda *key: OUTSIDE.get(key, []))
    expected = oracle.search(type_, pairs)
    found, totals = await pages(
        db, type_, pairs, Scope(PERSON, at, sources), rng.choice([1, 3, 10, 50]) if len(expected) < 60 else 50
    )
    shown = [(row.id, row.source, row.version) for row in found]
    assert shown == [(s.id, s.source, s.version) for s in expected], pairs
    assert totals == {len(expected)}


@pytest.fixture(scope="module")
async def small(db, request):
    """Resources made by hand and some real ones where they are at hand."""
    folder = request.config.rootpath / ".." / "shared"
    stored = population(None, synthea_limit=0, all_examples=False)
    del folder
    async with db.transaction() as conn:
        await insert(conn, rows(stored))
    return stored


@settings(max_examples=300)
@given(rng=st.randoms(use_true_random=False))
async def test_a_search_finds_what_the_specification_says(db, small, rng):
    await held_to_the_oracle(db, Queries(small), small, rng)
