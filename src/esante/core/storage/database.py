"""Access to PostgreSQL: queries, transactions, and the group commit that makes writes cheap.

Every acknowledged write has been synced to disk (`synchronous_commit` stays on). Writes are fast because many
waiting acts (the rows that one use case writes) share one transaction, and so one sync. On a distributed database
that would cost a two-phase commit over many nodes, so there each act is a transaction of its own.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import itemgetter
from types import TracebackType
from typing import Any

import asyncpg

from esante.core.storage.pool import Connection, Pool
from esante.core.storage.table import Row, Table, insert_sql

ACTS_PER_COMMIT = 256
COMMITTERS = 2
STATEMENT_ROWS = 500
"""Rows of one act in one statement at most."""
STATEMENT_BYTES = 4 * 1024 * 1024
"""Bytes (of `bytea` values) in one statement at most: asyncpg holds it in memory twice until it is sent."""


class Overloaded(Exception):
    """Too many writes are waiting; try again in a second."""


class Unavailable(Exception):
    """The database or the object store cannot be reached or refuses to write; no write was acknowledged."""


_UNAVAILABLE_ERRORS = (
    OSError,
    asyncpg.InterfaceError,
    # Raised by a query on a connection whose server has just died, until asyncpg notices that it is closed.
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

_SERVER_SETTINGS = {"application_name": "esante", "timezone": "UTC"}
_CLUSTER_SETTING = "SET citus.override_table_visibility TO off"
"""For each connection to a cluster: else asyncpg's look-up of types takes seconds where a node holds shards."""
_DUPLICATE = "duplicate key value violates unique constraint"
"""How a cluster reports it, as an internal error, where its coordinator carries out an INSERT with SELECT."""


async def _is_cluster(conn: Connection) -> bool:
    return bool(await conn.fetchval("SELECT 1 FROM pg_extension WHERE extname = 'citus'"))


async def _connect_to_cluster(connect: Callable[[], Awaitable[Connection]]) -> Connection:
    conn = await connect()
    await conn.execute(_CLUSTER_SETTING)
    return conn


async def insert(conn: Connection, rows: Iterable[Row]) -> None:
    """Insert `rows`, one statement per table, in the order in which the tables first appear."""
    for table, columns in _columns_by_table(rows):
        await conn.execute(table.insert_sql(), *columns)


async def insert_in_batches(conn: Connection, rows: Sequence[Row]) -> None:
    """Insert as `insert`, some hundred rows a statement, fewer of large ones: other tasks run between them."""
    for batch in _batches(rows):
        await insert(conn, batch)


async def write_in_batches(db: "Database", rows: Sequence[Row]) -> None:
    """Write as `Database.write` an act that may be large; a large one gets a transaction of its own."""
    batches = list(_batches(rows))
    if len(batches) <= 1:
        await db.write(rows)
        return
    async with db.transaction() as conn:
        for batch in batches:
            await insert(conn, batch)


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Yield the rows in batches, each within the bounds for one statement."""
    start = size = 0
    for place, (_, values) in enumerate(rows):
        row_size = sum(len(value) for value in values if isinstance(value, bytes))
        if place - start == STATEMENT_ROWS or (size + row_size > STATEMENT_BYTES and place > start):
            yield rows[start:place]
            start, size = place, 0
        size += row_size
    if start < len(rows):
        yield rows[start:]


async def _insert_in_one_statement(conn: Connection, rows: Iterable[Row]) -> None:
    """Insert `rows`, all or none, by one statement: it needs no transaction around it, so one round trip."""
    tables, columns = zip(*_columns_by_table(rows), strict=True)
    await conn.execute(insert_sql(tables), *itertools.chain(*columns))


def _columns_by_table(rows: Iterable[Row]) -> list[tuple[Table, list[tuple[Any, ...]]]]:
    """Return for each table of `rows` its values, column by column."""
    found: dict[Table, list[tuple[Any, ...]]] = {}
    for table, values in rows:
        found.setdefault(table, []).append(values)
    for table, values_list in found.items():
        if table.once:
            values_list.sort(key=itemgetter(0, 1))  # one order, so that two inserts of equal keys cannot deadlock
    return [(table, list(zip(*values_list, strict=True))) for table, values_list in found.items()]


class _AcquiredConnection:
    """A connection of the pool within a context. Raises: `Unavailable` when none can be acquired, or it breaks;
    `asyncpg.UniqueViolationError` also where a cluster reports one as an internal error.

    A class and no generator, which would cost more: every query passes here.
    """

    __slots__ = ("_conn", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        try:
            self._conn = await self._pool.acquire()
        except _UNAVAILABLE_ERRORS as error:
            raise _unavailable(error) from error
        return self._conn

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After a cancellation a query may still run on the connection: it cannot be reused.
        broken = isinstance(error, _UNAVAILABLE_ERRORS)
        self._pool.release(self._conn, reusable=error is None or (isinstance(error, Exception) and not broken))
        if broken:
            raise _unavailable(error) from error
        if isinstance(error, asyncpg.InternalServerError) and _DUPLICATE in str(error):
            raise asyncpg.UniqueViolationError(str(error)) from error


def _unavailable(error: BaseException | None) -> Unavailable:
    if isinstance(error, TimeoutError):
        return Unavailable("the database did not answer in time")
    return Unavailable(f"the database is not available: {type(error).__name__}")


class Database:
    """A PostgreSQL database: a pool of connections, and the committers (tasks) behind `write`."""

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
        """Connect to the database at `dsn`.

        `queue_bound`: acts that may wait for the group commit. `group_commit` False: each write commits by itself, as
        on a distributed database. Raises: `Unavailable` when the server does not answer.
        """
        connect = partial(asyncpg.connect, dsn, command_timeout=60, server_settings=_SERVER_SETTINGS)
        try:
            conn = await connect()
        except _UNAVAILABLE_ERRORS as error:
            raise Unavailable(f"cannot reach the database: {type(error).__name__}") from error
        distributed = await _is_cluster(conn)
        await conn.close()
        pool = Pool(partial(_connect_to_cluster, connect) if distributed else connect, pool_size)
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
        """Return all rows of a query."""
        async with self._connection() as conn:
            return await conn.fetch(sql, *args)  # type: ignore[no-any-return]

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """Return the first row of a query, or None."""
        async with self._connection() as conn:
            return await conn.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """Return the first column of the first row of a query, or None."""
        async with self._connection() as conn:
            return await conn.fetchval(sql, *args)

    @asynccontextmanager
    async def transaction(self, isolation: str | None = None) -> AsyncIterator[Connection]:
        """Open a transaction, for acts that update, lock or query in between; it commits when the context ends."""
        async with self._connection() as conn, conn.transaction(isolation=isolation):
            yield conn

    async def write(self, rows: Sequence[Row]) -> None:
        """Insert the rows of one act, all or none; they are durable when this returns.

        On one server the act shares a transaction with others that wait; one that fails, fails alone.
        Raises: the error of PostgreSQL (for example `asyncpg.UniqueViolationError`), `Overloaded` when more than
        `queue_bound` acts wait, `Unavailable` when the database is not available.
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

    def _connection(self) -> "_AcquiredConnection":
        return _AcquiredConnection(self._pool)

    async def _commit_forever(self) -> None:
        while True:
            await self._wake.wait()
            batch = [self._waiting.popleft() for _ in range(min(ACTS_PER_COMMIT, len(self._waiting)))]
            if not self._waiting:
                self._wake.clear()
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: list[tuple[Sequence[Row], asyncio.Future[None]]]) -> None:
        try:
            async with self._connection() as conn:
                await _insert_in_one_statement(conn, (row for rows, _ in batch for row in rows))
        except (Unavailable, asyncio.CancelledError) as error:
            _resolve([done for _, done in batch], Unavailable(str(error)))
            if isinstance(error, asyncio.CancelledError):
                raise
        except Exception as error:
            if len(batch) == 1:
                _resolve([batch[0][1]], error)
            else:
                await self._commit_one_by_one(batch)
        else:
            _resolve([done for _, done in batch], None)

    async def _commit_one_by_one(self, batch: list[tuple[Sequence[Row], asyncio.Future[None]]]) -> None:
        """Commit each act of a failed batch by itself, so that only those fail that are wrong."""
        for act in batch:
            await self._commit([act])


def _resolve(futures: Iterable[asyncio.Future[None]], error: Exception | None) -> None:
    """Set the result of the futures that still wait: done, or failed with `error`."""
    for done in futures:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
