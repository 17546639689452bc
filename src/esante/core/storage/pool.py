"""Connections to PostgreSQL that are kept open and lent out, the one given back last first.

asyncpg has a pool of its own. A turn in that costs more processor time than a small query, for it lends out proxies
and takes them back in tasks. Here nothing has to be tidied up between two users: nobody sets any state of a session.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = asyncpg.Connection
WAIT_SECONDS = 30
IDLE_SECONDS = 300
"""Longer than this nothing may come over a connection: what lies between may have forgotten it."""


class Pool:
    """Up to `size` connections, made when they are needed. Whoever takes one gives it back."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        self.size = size
        self._connect = connect
        self._slots = asyncio.Semaphore(size)
        self._idle: list[tuple[Connection, float]] = []
        self._closed = False

    async def take(self) -> Connection:
        """A connection. Raises TimeoutError when none comes free in time, and what connecting raises."""
        if self._slots.locked():
            async with asyncio.timeout(WAIT_SECONDS):
                await self._slots.acquire()
        else:
            await self._slots.acquire()  # at once
        try:
            if self._closed:
                raise asyncpg.InterfaceError("the pool is closed")
            return self._kept() or await self._connect()
        except BaseException:
            self._slots.release()
            raise

    def give_back(self, conn: Connection, *, fit: bool) -> None:
        """Take a connection back; one that is not `fit` for another query is ended."""
        if fit and not conn.is_in_transaction() and not conn.is_closed():
            self._idle.append((conn, monotonic()))
        else:
            conn.terminate()
        self._slots.release()

    async def close(self) -> None:
        """Wait for what is lent out, then close every connection."""
        self._closed = True
        for _ in range(self.size):
            await self._slots.acquire()
        await asyncio.gather(*(conn.close() for conn, _ in self._idle), return_exceptions=True)
        for _ in range(self.size):
            self._slots.release()  # who still comes is told that it is closed

    def _kept(self) -> Connection | None:
        oldest = monotonic() - IDLE_SECONDS
        while self._idle:
            conn, since = self._idle.pop()
            if since > oldest and not conn.is_closed():
                return conn
            conn.terminate()
        return None
