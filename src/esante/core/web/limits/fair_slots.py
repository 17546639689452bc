"""Slots for work that only so much of may be done at a time, shared between the clients that want some.

One client never gets all slots, and of the clients that wait each gets the next one in turn, however many pieces of
work it has brought. What waits is bounded, for a client and in total.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class QueueFull(Exception):
    """Too much work waits; `of_client`: of this client alone."""

    def __init__(self, *, of_client: bool) -> None:
        super().__init__("too much work waits")
        self.of_client = of_client


class FairSlots:
    """So many slots, of which a client (any key) has at most `per_client`; `waiting` bounds what waits."""

    def __init__(self, slots: int, per_client: int, *, waiting: int, waiting_per_client: int) -> None:
        self._free, self._per_client = slots, per_client
        self._waiting_bound, self._client_bound = waiting, waiting_per_client
        self._busy: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """The clients that wait, who is next first."""
        self._count = 0

    @asynccontextmanager
    async def slot(self, client: Hashable) -> AsyncIterator[None]:
        """Have a slot within the context, as soon as there is one. Raises: `QueueFull`."""
        await self.acquire(client)
        try:
            yield
        finally:
            self.release(client)

    async def acquire(self, client: Hashable) -> None:
        """Wait for a slot; whoever acquires one must release it. Raises: `QueueFull`."""
        # Where a slot is free, those that wait have as many as a client may have: nobody is overtaken.
        if self._may_have_one(client):
            self._give(client)
            return
        queue = self._waiting.get(client, ())
        if len(queue) >= self._client_bound:
            raise QueueFull(of_client=True)
        if self._count >= self._waiting_bound:
            raise QueueFull(of_client=False)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._count += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(client, turn)
            else:
                self.release(client)  # it came at the moment of the cancellation
            raise

    def release(self, client: Hashable) -> None:
        """Give a slot back; it goes to the client that is next and may have one more."""
        self._free += 1
        self._busy[client] -= 1
        if not self._busy[client]:
            del self._busy[client]
        for following in self._waiting:
            if self._may_have_one(following):
                self._pass_to(following)
                return

    def _pass_to(self, following: Hashable) -> None:
        turn = self._waiting[following][0]
        self._forget(following, turn)
        if following in self._waiting:
            self._waiting[following] = self._waiting.pop(following)  # behind the others
        self._give(following)
        turn.set_result(None)

    def _may_have_one(self, client: Hashable) -> bool:
        return self._free > 0 and self._busy[client] < self._per_client

    def _give(self, client: Hashable) -> None:
        self._free -= 1
        self._busy[client] += 1

    def _forget(self, client: Hashable, turn: "asyncio.Future[None]") -> None:
        queue = self._waiting[client]
        queue.remove(turn)
        self._count -= 1
        if not queue:
            del self._waiting[client]
