"""A pool of open connections to PostgreSQL, the one released last acquired first.

asyncpg has a pool of its own. Acquiring and releasing there costs more processor time than a small query: it wraps
each connection in a proxy and resets it in a task. Nothing has to be reset here, since no caller sets session state.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = asyncpg.Connection
ACQUIRE_SECONDS = 30
"""Seconds that `acquire` waits for a free connection."""
IDLE_SECONDS = 300
"""Seconds after which an idle connection is not reused: a firewall in between may have dropped it."""


class Pool:
    """Up to `size` connections, opened when they are needed. Whoever acquires one must release it."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int) -> None:
        self.size = size
        self._connect = connect
        self._slots = asyncio.Semaphore(size)
        self._idle: list[tuple[Connection, float]] = []
        self._closed = False

    async def acquire(self) -> Connection:
        """Return a connection.

        Raises: TimeoutError when none becomes free in `ACQUIRE_SECONDS`, `asyncpg.InterfaceError` when the pool is
        closed, and what connecting raises.
        """
        if self._slots.locked():
            async with asyncio.timeout(ACQUIRE_SECONDS):
                await self._slots.acquire()
        else:
            await self._slots.acquire()  # a slot is free: no timer needed
        try:
            if self._closed:
                raise asyncpg.InterfaceError("the pool is closed")
            return self._pop_idle() or await self._connect()
        except BaseException:
            self._slots.release()
            raise

    def release(self, conn: Connection, *, reusable: bool) -> None:
        """Take a connection back; one that is not `reusable`, closed or still in a transaction is terminated."""
        if reusable and not conn.is_in_transaction() and not conn.is_closed():
            self._idle.append((conn, monotonic()))
        else:
            conn.terminate()
        self._slots.release()

    async def close(self) -> None:
        """Wait until every connection is released, then close them all."""
        self._closed = True
        for _ in range(self.size):
            await self._slots.acquire()
        await asyncio.gather(*(conn.close() for conn, _ in self._idle), return_exceptions=True)
        for _ in range(self.size):
            self._slots.release()  # a later `acquire` raises at once instead of waiting

    def _pop_idle(self) -> Connection | None:
        """Return the idle connection that was released last, or None; those that are too old are terminated."""
        oldest = monotonic() - IDLE_SECONDS
        while self._idle:
            conn, since = self._idle.pop()
            if since > oldest and not conn.is_closed():
                return conn
            conn.terminate()
        return None
