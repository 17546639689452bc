"""Readers: each follows the journal with a durable cursor, and its effects happen exactly once.

A reader's effects and its cursor move in one transaction, under a lock on the cursor, so neither a crash nor
a second process can repeat or lose one. A reader that fails is tried again, later and later.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from esante.core.journal import store
from esante.core.journal.model import Entry, Event
from esante.core.storage import Connection, Database, Unavailable

log = logging.getLogger(__name__)
Handler = Callable[[Connection, list[Entry]], Awaitable[None]]
BATCH = 1_000
INTERVAL = 0.5


@dataclass(frozen=True, slots=True)
class Consumer:
    """A reader: its name (its cursor's key), the event types it follows, and what it does with them."""

    name: str
    types: Sequence[type[Event]]
    handle: Handler


async def run_consumers(db: Database, readers: Sequence[Consumer]) -> None:
    """Let all `readers` follow the journal for ever."""
    await asyncio.gather(*(_follow(db, reader) for reader in readers))


async def advance(db: Database, reader: Consumer) -> bool:
    """Handle the next batch; False when there was none, or another process is at it, or it must wait."""
    async with db.transaction() as conn:
        await conn.execute("INSERT INTO journal_cursor (reader) VALUES ($1) ON CONFLICT DO NOTHING", reader.name)
        seq = await conn.fetchval(
            "SELECT seq FROM journal_cursor WHERE reader = $1 AND retry_at <= now() FOR UPDATE SKIP LOCKED",
            reader.name,
        )
        if seq is None:
            return False
        last, entries = await store.after(conn, seq, [type_.TYPE for type_ in reader.types], BATCH)
        if last == seq:
            return False
        if entries:
            await reader.handle(conn, entries)
        await conn.execute(
            "UPDATE journal_cursor SET seq = $2, failures = 0, last_error = '' WHERE reader = $1",
            reader.name,
            last,
        )
    return True


async def _follow(db: Database, reader: Consumer) -> None:
    while True:
        try:
            busy = await advance(db, reader)
        except Unavailable:
            busy = False
        except Exception as error:
            log.exception("reader %s failed; it is tried again", reader.name)
            await _put_off(db, reader, error)
            busy = False
        if not busy:
            await asyncio.sleep(INTERVAL)


async def _put_off(db: Database, reader: Consumer, error: Exception) -> None:
    """Note the failure for the operator and wait: 1 s, 2 s, 4 s … at most five minutes."""
    try:
        await db.fetchval(
            """
            UPDATE journal_cursor SET failures = failures + 1, last_error = $2,
                retry_at = now() + least(power(2, failures), 300) * interval '1 second'
            WHERE reader = $1
            """,
            reader.name,
            type(error).__name__,
        )
    except Unavailable:
        return
