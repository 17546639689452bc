"""Batched look-ups by key: for reading what the group commit is for writing.

A query costs a round trip, and with many clients a worker spends most of its time on round trips. So look-ups of the
same kind that wait at the same moment share one query; a single one is sent at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from esante.core.storage.database import Database

K = TypeVar("K")
R = TypeVar("R")
BATCH_KEYS = 64
"""Keys of one query at most."""
CONCURRENT_QUERIES = 2


class DataLoader(Generic[K, R]):
    """Loads by key; `fetch(keys)` queries several keys (all different) and leaves out those that do not exist.

    On a distributed database each key is a query of its own, since each may lie on another node.
    """

    def __init__(self, db: Database, fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, R]]]) -> None:
        self._fetch = fetch
        self._batch = 1 if db.distributed else BATCH_KEYS
        self._limit = 64 if db.distributed else CONCURRENT_QUERIES
        self._waiting: dict[K, list[asyncio.Future[R | None]]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def load(self, key: K) -> "asyncio.Future[R | None]":
        """Return a future of what exists for `key`, or of None; awaiting it raises what the query raises.

        The query is scheduled by the call, not by the await: a caller may start several look-ups and await them later.
        """
        loop = asyncio.get_running_loop()
        # Each caller gets a future of its own, so that cancelling one does not cancel the others.
        future: asyncio.Future[R | None] = loop.create_future()
        if (others := self._waiting.get(key)) is not None:
            others.append(future)
            return future
        self._waiting[key] = [future]
        if self._running < self._limit:
            self._running += 1
            task = loop.create_task(self._query_waiting())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def _query_waiting(self) -> None:
        await asyncio.sleep(0)  # include the look-ups of other tasks that run in this turn of the event loop
        while self._waiting:
            keys = list(self._waiting)[: self._batch]
            await self._query({key: self._waiting.pop(key) for key in keys})
        # No await between the check of `_waiting` and this: a later `load` starts a task of its own.
        self._running -= 1

    async def _query(self, futures: "Mapping[K, list[asyncio.Future[R | None]]]") -> None:
        waiting = [(key, future) for key, of_key in futures.items() for future in of_key]
        try:
            found = await self._fetch(list(futures))
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # marks it as retrieved: a caller may never await it, which is no error to log
        else:
            for key, future in waiting:
                if not future.done():
                    future.set_result(found.get(key))
