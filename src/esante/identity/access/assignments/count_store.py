"""The SQL of counts of documents."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from esante.core.storage import Connection, Database, Kind, Table

COUNT = Table("access_document_count", Kind.LOCAL, {"count_id": "uuid", "asked_at": "timestamptz", "total": "bigint"})


async def begin(conn: Connection, count_id: UUID, at: datetime) -> None:
    """Insert a count in place of those that have ended, unless one runs."""
    await conn.execute("DELETE FROM access_document_count WHERE ended_at IS NOT NULL")
    await conn.execute(
        "INSERT INTO access_document_count (count_id, asked_at, total)"
        " VALUES ($1, $2, (SELECT count(*) FROM access_record)) ON CONFLICT DO NOTHING",
        count_id,
        at,
    )


async def fetch_newest(db: Database) -> Mapping[str, Any] | None:
    """Return the newest count, or None."""
    return _values(await db.fetchrow("SELECT * FROM access_document_count ORDER BY asked_at DESC LIMIT 1"))


async def lock_running(conn: Connection) -> Mapping[str, Any] | None:
    """Return the count that runs, locked until the end of the transaction; None: there is none, or it is locked."""
    return _values(
        await conn.fetchrow("SELECT * FROM access_document_count WHERE ended_at IS NULL FOR UPDATE SKIP LOCKED")
    )


async def fetch_persons(conn: Connection, after: UUID, limit: int) -> list[UUID]:
    """Return the keys of persons with a record after one of them, in their order."""
    rows = await conn.fetch(
        "SELECT person_id FROM access_record WHERE person_id > $1 ORDER BY person_id LIMIT $2", after, limit
    )
    return [row["person_id"] for row in rows]


async def save(conn: Connection, count_id: UUID, after: UUID, done: int, counts: Mapping[str, Sequence[int]]) -> None:
    """Write how far a count is: `counts` has documents and persons of each class."""
    await conn.execute(
        "UPDATE access_document_count SET after = $2, done = $3, counts = $4 WHERE count_id = $1",
        count_id,
        after,
        done,
        orjson.dumps({key: list(pair) for key, pair in counts.items()}).decode(),
    )


async def finish(conn: Connection, count_id: UUID, at: datetime) -> None:
    """Write that a count has ended."""
    await conn.execute("UPDATE access_document_count SET ended_at = $2 WHERE count_id = $1", count_id, at)


def _values(row: asyncpg.Record | None) -> Mapping[str, Any] | None:
    if row is None:
        return None
    return {**row, "counts": orjson.loads(row["counts"])}
