"""The way to PostgreSQL: plain reads, transactions, and the group commit that makes writes cheap.

Durability is not for sale: every acknowledged write has been synced to disk (`synchronous_commit` stays on).
Speed comes from many waiting acts sharing one transaction, and so one sync. On a distributed database that
same sharing would cost a two-phase commit over many nodes, so there each act is a transaction of its own.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import itemgetter
from types import TracebackType
from typing import Any

import asyncpg

from esante.core.storage.pool import Connection, Pool
from esante.core.storage.table import Row, Table, insert_sql

BATCH = 256
COMMITTERS = 2
PART = 500
"""Rows of one act that are inserted at once."""
PART_BYTES = 4 * 1024 * 1024
"""Bytes in them: a statement is held twice until it is sent."""


class Overloaded(Exception):
    """Too many writes are waiting; try again in a second."""


class Unavailable(Exception):
    """The database or the object store cannot be reached or refuses to write; nothing was acknowledged."""


_GONE = (
    OSError,
    asyncpg.InterfaceError,
    # A connection whose server has just died refuses the next query so, until its end is noticed.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ReadOnlySQLTransactionError,
)

_SESSION = {"application_name": "esante", "timezone": "UTC"}


async def insert(conn: Connection, rows: Iterable[Row]) -> None:
    """Insert `rows`, one statement per table, in the order in which the tables first appear."""
    for table, columns in _by_table(rows):
        await conn.execute(table.insert_sql(), *columns)


async def insert_parts(conn: Connection, rows: Sequence[Row]) -> None:
    """As `insert`, some hundred at a time, fewer of large ones: others get their turn between them."""
    for part in _parts(rows):
        await insert(conn, part)


async def insert_many(db: "Database", rows: Sequence[Row]) -> None:
    """As `Database.write` for an act that may be large: that has a transaction of its own."""
    parts = list(_parts(rows))
    if len(parts) <= 1:
        await db.write(rows)
        return
    async with db.transaction() as conn:
        for part in parts:
            await insert(conn, part)


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in parts, each within the bounds for one statement."""
    start = size = 0
    for place, (_, values) in enumerate(rows):
        held = sum(len(value) for value in values if isinstance(value, bytes))
        if place - start == PART or (size + held > PART_BYTES and place > start):
            yield rows[start:place]
            start, size = place, 0
        size += held
    if start < len(rows):
        yield rows[start:]


async def _insert_at_once(conn: Connection, rows: Iterable[Row]) -> None:
    """Insert `rows`, all or none, by one statement: it needs no transaction around it, so one round trip."""
    tables, columns = zip(*_by_table(rows), strict=True)
    await conn.execute(insert_sql(tables), *itertools.chain(*columns))


def _by_table(rows: Iterable[Row]) -> list[tuple[Table, list[tuple[Any, ...]]]]:
    """The rows as columns of each table."""
    found: dict[Table, list[tuple[Any, ...]]] = {}
    for table, values in rows:
        found.setdefault(table, []).append(values)
    for table, values_list in found.items():
        if table.once:
            values_list.sort(key=itemgetter(0, 1))  # in one order, so that two that insert the same wait in turn
    return [(table, list(zip(*values_list, strict=True))) for table, values_list in found.items()]


class _Lent:
    """A connection while somebody has it; one that cannot be had, or is gone, is `Unavailable`.

    A class and no generator, since every query passes here.
    """

    __slots__ = ("_conn", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        try:
            self._conn = await self._pool.take()
        except _GONE as error:
            raise _unavailable(error) from error
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Who left in the middle of a query, or did not wait for its end, leaves the connection with it.
        gone = isinstance(error, _GONE)
        self._pool.give_back(self._conn, fit=error is None or (isinstance(error, Exception) and not gone))
        if gone:
            raise _unavailable(error) from error


def _unavailable(error: BaseException | None) -> Unavailable:
    if isinstance(error, TimeoutError):
        return Unavailable("the database did not answer in time")
    return Unavailable(f"the database is not available: {type(error).__name__}")


class Database:
    """A pool of connections and the committers behind `write`."""

    def __init__(self, pool: Pool, *, distributed: bool, queue_bound: int) -> None:
        self._pool = pool
        self.distributed = distributed
        self._bound = queue_bound
        self._waiting: deque[tuple[Sequence[Row], asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(max(1, pool.size - 2))
        self._committers: list[asyncio.Task[None]] = []

    @classmethod
    async def open(
        cls, dsn: str, *, pool_size: int = 8, queue_bound: int = 2_000, group_commit: bool = True
    ) -> "Database":
        """Connect; raises `Unavailable` when the server does not answer.

        `group_commit` False: each write commits by itself, as on a distributed database.
        """
        pool = Pool(partial(asyncpg.connect, dsn, command_timeout=60, server_settings=_SESSION), pool_size)
        try:
            conn = await pool.take()
        except _GONE as error:
            raise Unavailable(f"cannot reach the database: {type(error).__name__}") from error
        distributed = bool(await conn.fetchval("SELECT 1 FROM pg_extension WHERE extname = 'citus'"))
        pool.give_back(conn, fit=True)
        db = cls(pool, distributed=distributed, queue_bound=queue_bound)
        if group_commit and not distributed:
            db._committers = [asyncio.create_task(db._commit_forever()) for _ in range(COMMITTERS)]
        return db

    async def close(self) -> None:
        """Commit what is waiting, then close every connection."""
        await asyncio.gather(*(done for _, done in self._waiting), return_exceptions=True)
        for task in self._committers:
            task.cancel()
        await asyncio.gather(*self._committers, return_exceptions=True)
        await self._pool.close()

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """All rows of a query."""
        async with self._connection() as conn:
            return await conn.fetch(sql, *args)  # type: ignore[no-any-return]

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """The first row of a query, or None."""
        async with self._connection() as conn:
            return await conn.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first column of the first row of a query, or None."""
        async with self._connection() as conn:
            return await conn.fetchval(sql, *args)

    @asynccontextmanager
    async def transaction(self, isolation: str | None = None) -> AsyncIterator[Connection]:
        """A transaction of its own, for acts that update, lock or ask in between."""
        async with self._connection() as conn, conn.transaction(isolation=isolation):
            yield conn

    async def write(self, rows: Sequence[Row]) -> None:
        """Insert the rows of one act, all or none, durably before this returns.

        On one server the act shares a transaction with others that wait; one that fails, fails alone, with
        the error PostgreSQL gave it (for example `asyncpg.UniqueViolationError`). Raises `Overloaded` when
        more than `queue_bound` acts wait, `Unavailable` when the database is gone.
        """
        if not rows:
            return
        if not self._committers:
            async with self._slots, self.transaction() as conn:
                await insert(conn, rows)
            return
        if len(self._waiting) >= self._bound:
            raise Overloaded("the write queue is full")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, done))
        self._wake.set()
        await done

    def _connection(self) -> "_Lent":
        return _Lent(self._pool)

    async def _commit_forever(self) -> None:
        while True:
            await self._wake.wait()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not self._waiting:
                self._wake.clear()
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[tuple[Sequence[Row], asyncio.Future[None]]]) -> None:
        try:
            async with self._connection() as conn:
                await _insert_at_once(conn, (row for rows, _ in batch for row in rows))
        except (Unavailable, asyncio.CancelledError) as error:
            _settle([done for _, done in batch], Unavailable(str(error)))
            if isinstance(error, asyncio.CancelledError):
                raise
        except Exception as error:
            if len(batch) == 1:
                _settle([batch[0][1]], error)
            else:
                await self._commit_alone(batch)
        else:
            _settle([done for _, done in batch], None)

    async def _commit_alone(self, batch: list[tuple[Sequence[Row], asyncio.Future[None]]]) -> None:
        """Commit each act of a failed batch by itself, so that only the wrong ones fail."""
        for act in batch:
            await self._commit([act])


def _settle(futures: Iterable[asyncio.Future[None]], error: Exception | None) -> None:
    for done in futures:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
