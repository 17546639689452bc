"""Journal consumers: each follows the journal with a durable cursor, and its effects happen exactly once.

The effects of a consumer and its cursor are written in one transaction, under a lock on the cursor, so neither a
crash nor a second process can repeat or lose an effect. A consumer that fails is retried after growing delays.
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
BATCH_LEAVES = 1_000
"""Leaves of the tree that one call of `advance` covers at most."""
INTERVAL = 0.5
"""Seconds between two looks at a journal that has nothing new."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer: its name (the key of its cursor), the event types it follows, and the handler of their entries.

    `handle(conn, entries)` writes its effects in the transaction of `conn`; entries come in the order of the tree.
    """

    name: str
    types: Sequence[type[Event]]
    handle: Handler


async def run_consumers(db: Database, consumers: Sequence[Consumer]) -> None:
    """Let all `consumers` follow the journal until cancelled."""
    await asyncio.gather(*(_follow(db, consumer) for consumer in consumers))


async def advance(db: Database, consumer: Consumer) -> bool:
    """Handle the next batch of entries.

    Return False when there is none, another process handles it, or the consumer is postponed after a failure.
    Raises: what the handler raises; the cursor then stays where it was.
    """
    async with db.transaction() as conn:
        seq = await store.lock_cursor(conn, consumer.name)
        if seq is None:
            return False
        last, entries = await store.entries_after(conn, seq, [type_.TYPE for type_ in consumer.types], BATCH_LEAVES)
        if last == seq:
            return False
        if entries:
            await consumer.handle(conn, entries)
        await store.move_cursor(conn, consumer.name, last)
    return True


async def _follow(db: Database, consumer: Consumer) -> None:
    while True:
        try:
            busy = await advance(db, consumer)
        except Unavailable:
            busy = False
        except Exception as error:
            log.exception("journal consumer %s failed; it will be retried", consumer.name)
            await _postpone(db, consumer, error)
            busy = False
        if not busy:
            await asyncio.sleep(INTERVAL)


async def _postpone(db: Database, consumer: Consumer, error: Exception) -> None:
    """Store the failure for the operator, and the time of the next attempt."""
    try:
        await store.postpone_cursor(db, consumer.name, type(error).__name__)
    except Unavailable:
        return
