"""Counts of documents: through all persons in batches, one at a time, in the background."""

import asyncio
from datetime import timedelta

import pytest

from esante.core import clock
from esante.identity.access.assignments import document_counts
from esante.identity.access.assignments.document_counts import ClassCount, DocumentCounts


@pytest.fixture
async def counts(db, house):
    """No count from before, and three persons with a record at least."""
    await db.fetch("DELETE FROM access_document_count")
    for _ in range(3):
        await house.open_patient()
    return DocumentCounts(db)


async def count_letters(conn, persons):
    """Two letters of every person."""
    return {"letter": ClassCount(2 * len(persons), len(persons))}


async def persons_of(db):
    return await db.fetchval("SELECT count(*) FROM access_record")


async def test_count_goes_through_every_person_once(db, counts, monkeypatch):
    monkeypatch.setattr(document_counts, "BATCH", 2)
    counts.counter = count_letters
    found, persons = await counts.ask(), await persons_of(db)
    assert found.of("letter") == ClassCount(2 * persons, persons)
    assert (found.percent, found.done, found.of("riddle")) == (100, persons, ClassCount(0, 0))


async def test_count_that_takes_longer_says_how_far_it_is_and_goes_on(db, counts, monkeypatch):
    monkeypatch.setattr(document_counts, "BATCH", 1)
    monkeypatch.setattr(document_counts, "WAIT_SECONDS", 0.0)
    counts.counter = count_letters
    found, persons = await counts.ask(), await persons_of(db)
    assert (found.done, found.ended_at, found.percent) == (1, None, 100 // persons)
    for _ in range(persons):
        await counts.advance()
    found = await counts.ask()
    assert (found.of("letter"), found.percent) == (ClassCount(2 * persons, persons), 100)


async def test_two_who_ask_at_once_share_one_count(db, counts):
    counts.counter = count_letters
    persons = await persons_of(db)
    first, second = await asyncio.gather(counts.ask(), counts.ask())
    assert first.id == second.id
    assert (await counts.ask()).of("letter").persons == persons
    assert await db.fetchval("SELECT count(*) FROM access_document_count") == 1


async def test_count_serves_while_it_is_fresh_and_is_made_again_later(db, counts):
    counts.counter = count_letters
    first = await counts.ask()
    assert (await counts.ask()).id == first.id
    old = clock.now() - document_counts.FRESH - timedelta(seconds=1)
    await db.fetch("UPDATE access_document_count SET ended_at = $1", old)
    assert (await counts.ask()).id != first.id


async def test_failed_batch_is_counted_again_and_not_twice(db, counts, monkeypatch):
    monkeypatch.setattr(document_counts, "BATCH", 2)
    calls = []

    async def fail_once(conn, persons):
        calls.append(persons)
        if len(calls) == 2:
            raise RuntimeError("lost")
        return await count_letters(conn, persons)

    counts.counter = fail_once
    with pytest.raises(RuntimeError):
        await counts.ask()
    persons = await persons_of(db)
    assert (await counts.ask()).of("letter") == ClassCount(2 * persons, persons)
