"""Searches over a database compared with a naive reading of the specification, for random queries."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.fhir.search import SearchScope, execute_query, parse_query
from esante.core.storage import insert
from tests.conftest import SHARED
from tests.support.search_oracle import Oracle
from tests.support.search_population import END_OF_TIME, NOW, PERSON, SOURCES, altered, population, rows
from tests.support.search_queries import OUTSIDE, Queries

SEEDS = st.integers(0, 2**64 - 1)


async def search_external(type_, name, value):
    return OUTSIDE.get((type_, name, value), [])


class World:
    """A population in a database."""

    def __init__(self, db, stored):
        self.db, self.stored, self.queries = db, stored, Queries(stored)

    def __repr__(self):
        return f"World({len(self.stored)} rows)"

    def scope(self, rng):
        """Some sources at some moment, mostly all of them now."""
        sources = rng.choice([None, None, frozenset(rng.sample(SOURCES, rng.randint(0, 4)))])
        return SearchScope(PERSON, NOW if rng.random() < 0.8 else rng.choice(self.stored).since, sources)

    def oracle(self, scope):
        return Oracle(self.stored, PERSON, scope.at, scope.sources, lambda *key: OUTSIDE.get(key, []))

    async def page(self, type_, pairs, scope):
        return await execute_query(self.db, parse_query(type_, pairs, strict=True), scope, search_external)

    async def all(self, type_, pairs, scope, limit):
        """All matches of a search, page by page, and the totals of the pages."""
        found, totals, cursor = [], set(), []
        while True:
            page = await self.page(type_, [*pairs, ("_count", str(limit)), *cursor], scope)
            found += page.matches
            totals.add(page.total)
            if page.next_cursor is None:
                return found, totals
            assert len(page.matches) == limit
            cursor = [("_cursor", page.next_cursor)]


def row_key(each):
    return each.id, each.source, each.version


@pytest.fixture(scope="module")
async def world(db):
    """Hand-made resources, and some real ones where they are available."""
    shared = SHARED / "data"
    stored = population(shared if shared.is_dir() else None, synthea_limit=60)
    async with db.transaction() as conn:
        await insert(conn, rows(stored))
    return World(db, stored)


async def check_search(world, seed):
    rng = random.Random(seed)
    type_, pairs = world.queries.make(rng)
    scope = world.scope(rng)
    expected = world.oracle(scope).search(type_, pairs)
    limit = rng.choice([1, 3, 10, 50]) if len(expected) < 30 else 50
    found, totals = await world.all(type_, pairs, scope, limit)
    assert [row_key(row) for row in found] == [row_key(s) for s in expected], (type_, pairs)
    assert totals == {len(expected)}


async def check_includes(world, seed):
    rng = random.Random(seed)
    type_, pairs = world.queries.make(rng)
    scope, wanted = world.scope(rng), world.queries.includes(rng, type_)
    oracle = world.oracle(scope)
    page = await world.page(type_, [*pairs, *wanted, ("_count", "7")], scope)
    expected, external = oracle.included(oracle.search(type_, pairs)[:7], wanted)
    assert {f"{r.type}/{PERSON.hex}{r.id.hex}" for r in page.included} == expected, (type_, pairs, wanted)
    assert {row_key(r) for r in page.included} <= {row_key(s) for s in oracle.shown}
    assert set(page.external_references) == external
    assert not page.truncated


@settings(max_examples=250)
@given(seed=SEEDS)
async def test_search_matches_oracle(world, seed):
    await check_search(world, seed)


@settings(max_examples=80)
@given(seed=SEEDS)
async def test_includes_match_oracle(world, seed):
    await check_includes(world, seed)


@settings(max_examples=20)
@given(seed=SEEDS)
async def test_pages_show_moment_of_first_page(world, seed):
    rng = random.Random(seed)
    type_, pairs = world.queries.make(rng)
    first = SearchScope(PERSON, NOW)
    expected = world.oracle(first).search(type_, pairs)
    found, cursor, now = [], [], NOW
    while True:
        page = await world.page(type_, [*pairs, ("_count", "4"), *cursor], replace(first, at=now))
        found += page.matches
        if page.next_cursor is None or len(found) > 12:
            break
        cursor = [("_cursor", page.next_cursor)]
        now += timedelta(minutes=1)
        await change(world, rng, now)
    assert [row_key(row) for row in found] == [row_key(s) for s in expected][: len(found)]
    assert page.next_cursor is not None or len(found) == len(expected)


async def change(world, rng, at):
    """Change or delete three resources at a moment that other tests do not read."""
    current = [s for s in world.stored if s.person == PERSON and s.until == END_OF_TIME and s.since < NOW]
    for old in rng.sample(current, 3):
        deleted = rng.random() < 0.3
        newer = replace(old, version=old.version + 1, since=at, deleted=deleted, resource=altered(old.resource))
        async with world.db.transaction() as conn:
            await conn.execute(
                "UPDATE fhir_resource SET until = $6 WHERE person_id = $1 AND type = $2 AND id = $3 AND source = $4"
                " AND version = $5",
                *(old.person, old.type, old.id, old.source, old.version, at),
            )
            await insert(conn, rows([newer]))
        world.stored[world.stored.index(old)] = replace(old, until=at)
        world.stored.append(newer)


@settings(max_examples=30)
@given(seed=SEEDS)
async def test_source_hidden_between_pages_is_not_shown(world, seed):
    rng = random.Random(seed)
    type_, pairs = world.queries.make(rng)
    page = await world.page(type_, [*pairs, ("_count", "3")], SearchScope(PERSON, NOW))
    if page.next_cursor is None:
        return
    visible = frozenset(rng.sample(SOURCES, 3))
    rest = await world.page(
        type_, [*pairs, ("_count", "50"), ("_cursor", page.next_cursor)], SearchScope(PERSON, NOW, visible)
    )
    allowed = {row_key(s) for s in world.oracle(SearchScope(PERSON, NOW, visible)).search(type_, pairs)}
    assert {row_key(row) for row in rest.matches} <= allowed
    assert rest.total == len(allowed)


@settings(max_examples=50)
@given(seed=SEEDS)
async def test_granular_scopes_limit_matches_chains_and_includes(world, seed):
    rng = random.Random(seed)
    type_, pairs = world.queries.make(rng)
    wanted = world.queries.includes(rng, type_)
    granted = {t: [[world.queries.pair(rng, t)] for _ in range(rng.randint(0, 2))] for t in world.queries.types}
    readable = {t: alternatives for t, alternatives in granted.items() if rng.random() < 0.8}
    everything = world.oracle(SearchScope(PERSON, NOW))
    readable_references = {
        s.reference
        for t, alternatives in readable.items()
        for p in alternatives or [[]]
        for s in everything.search(t, p)
    }
    limited = world.oracle(SearchScope(PERSON, NOW))
    limited.shown = [s for s in limited.shown if s.reference in readable_references]
    scope = SearchScope(
        PERSON, NOW, None, {t: tuple(parse_query(t, p) for p in alternatives) for t, alternatives in readable.items()}
    )
    page = await world.page(type_, [*pairs, *wanted, ("_count", "50")], scope)
    expected = limited.search(type_, pairs)
    assert [row_key(row) for row in page.matches] == [row_key(s) for s in expected[:50]], (type_, pairs, readable)
    included, _ = limited.included(expected[:50], wanted)
    assert {f"{r.type}/{PERSON.hex}{r.id.hex}" for r in page.included} == included


@pytest.fixture(scope="module")
async def large(world, shared_data, r4_examples):
    """Ten times as many: Synthea and the official examples."""
    stored = population(shared_data, synthea_limit=400, examples=r4_examples)
    async with world.db.transaction() as conn:
        await conn.execute("DELETE FROM fhir_resource")
        await insert(conn, rows(stored))
    return World(world.db, stored)


@pytest.mark.long
@settings(max_examples=8_000)
@given(seed=SEEDS)
async def test_thousands_of_searches_match_oracle(large, seed):
    await check_search(large, seed)


@pytest.mark.long
@settings(max_examples=2_000)
@given(seed=SEEDS)
async def test_thousands_of_includes_match_oracle(large, seed):
    await check_includes(large, seed)
