"""Look-ups that share a query: the twin of the group commit, for reading.

A query costs a round trip, and at many clients round trips are what a worker spends its time on. So questions of
the same kind that wait at the same moment are asked together; alone, one is asked at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from esante.core.storage.database import Database

K = TypeVar("K")
R = TypeVar("R")
BATCH = 64
RUNNING = 2


class DataLoader(Generic[K, R]):
    """Finds by key; `fetch(keys)` asks for several (all different) and leaves out those that are not there.

    On a distributed database every key is asked for by itself, since each may lie on another node.
    """

    def __init__(self, db: Database, fetch: Callable[[Sequence[K]], Awaitable[Mapping[K, R]]]) -> None:
        self._fetch = fetch
        self._batch = 1 if db.distributed else BATCH
        self._limit = 64 if db.distributed else RUNNING
        self._waiting: dict[K, list[asyncio.Future[R | None]]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def of(self, key: K) -> R | None:
        """What is found for `key`, or None; raises what the query raises."""
        return await self.soon(key)

    def soon(self, key: K) -> "asyncio.Future[R | None]":
        """As `of`, to be awaited later: it is asked for from now on, for who has several things to ask at once."""
        loop = asyncio.get_running_loop()
        # To each his own future, so that the others go on when one stops.
        answer: asyncio.Future[R | None] = loop.create_future()
        if (others := self._waiting.get(key)) is not None:
            others.append(answer)
            return answer
        self._waiting[key] = [answer]
        if self._running < self._limit:
            self._running += 1
            task = loop.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return answer

    async def _work(self) -> None:
        await asyncio.sleep(0)  # what became ready in this turn of the loop comes along
        while self._waiting:
            keys = list(self._waiting)[: self._batch]
            await self._ask({key: self._waiting.pop(key) for key in keys})
        # No await between the look at what waits and this: who asks now starts a worker of his own.
        self._running -= 1

    async def _ask(self, answers: "Mapping[K, list[asyncio.Future[R | None]]]") -> None:
        waiting = [(key, answer) for key, all_ in answers.items() for answer in all_]
        try:
            found = await self._fetch(list(answers))
        except Exception as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # who asked may never look; nobody needs to be told of that
        else:
            for key, answer in waiting:
                if not answer.done():
                    answer.set_result(found.get(key))
