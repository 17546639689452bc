"""Consumers handle each entry exactly once, and wait longer after each failure."""

import asyncio

import pytest

from esante.core.journal import Consumer, advance, consumers
from esante.core.storage import uuid7
from tests.support.journal_entries import Happened, append_texts


async def test_consumer_that_fails_and_runs_concurrently_handles_each_entry_once(journal):
    await journal.db.fetch("CREATE TABLE effect (entry_id uuid NOT NULL)")
    failing = {"left": 2}

    async def handle(conn, entries):
        await conn.executemany("INSERT INTO effect VALUES ($1)", [(entry.id,) for entry in entries])
        if failing["left"]:
            failing["left"] -= 1
            raise RuntimeError("planned")

    consumer = Consumer("test", [Happened], handle)
    await append_texts(journal, uuid7(), *map(str, range(50)))
    await journal.sealer.seal_all()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await advance(journal.db, consumer)
    assert await journal.db.fetchval("SELECT count(*) FROM effect") == 0
    await asyncio.gather(*(advance(journal.db, consumer) for _ in range(8)))
    assert not await advance(journal.db, consumer)
    rows = await journal.db.fetch("SELECT entry_id FROM effect")
    assert len({row["entry_id"] for row in rows}) == len(rows) == 50


async def test_postponed_consumer_waits_and_is_shown_to_the_operator(sealed_journal):
    async def handle(conn, entries):
        return None

    consumer = Consumer("test", [Happened], handle)
    assert await advance(sealed_journal.db, consumer)
    for _ in range(3):
        await consumers._postpone(sealed_journal.db, consumer, ValueError("not shown"))
    (cursor,) = (await sealed_journal.state())["consumers"]
    assert (cursor["reader"], cursor["seq"], cursor["failures"], cursor["last_error"]) == ("test", 40, 3, "ValueError")
    wait = await sealed_journal.db.fetchval("SELECT extract(epoch FROM retry_at - now()) FROM journal_cursor")
    assert 3 < wait <= 4
    await append_texts(sealed_journal, uuid7(), "one more")
    await sealed_journal.sealer.seal_all()
    assert not await advance(sealed_journal.db, consumer)
