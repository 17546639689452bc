"""Look-ups that share a query: the twin of the group commit, for reading.

A query costs a round trip, and at many clients round trips are what a worker spends its time on. So questions of
the same kind that wait at the same moment are asked together; alone, one is asked at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from esante.storage.database import Database

K = TypeVar("K")
R = TypeVar("R")
BATCH = 64
RUNNING = 2


class Lookup(Generic[K, R]):
    """Finds by key; `fetch(keys)` asks for several (all different) and leaves out those that are not there.

    On a distributed database every key is asked for by itself, since each may lie on another node.
    """

    def __init__(self, db: Database, fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, R]]]) -> None:
        self._fetch = fetch
        self._batch = 1 if db.distributed else BATCH
        self._limit = 64 if db.distributed else RUNNING
        self._waiting: dict[K, asyncio.Future[R | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def of(self, key: K) -> R | None:
        """What is found for `key`, or None; raises what the query raises."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            if len(self._running) < self._limit:
                task = asyncio.create_task(self._work())
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        return await asyncio.shield(answer)

    async def _work(self) -> None:
        await asyncio.sleep(0)  # what became ready in this turn of the loop comes along
        while self._waiting:
            keys = list(self._waiting)[: self._batch]
            answers = [self._waiting.pop(key) for key in keys]
            try:
                found = await self._fetch(keys)
            except Exception as error:
                for answer in answers:
                    answer.set_exception(error)
                    answer.exception()  # a caller who left asks no more; nobody needs to be told twice
            else:
                for key, answer in zip(keys, answers, strict=True):
                    answer.set_result(found.get(key))
