"""SQL of hits of rules that are correlated."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from esante.core.storage import Connection, Database, Kind, Table

HIT = Table(
    "soc_hit",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "rule": "text",
        "event_id": "uuid",
        "event_key": "text",
        "at": "timestamptz",
        "received_at": "timestamptz",
        "fields": "bytea",
    },
)
_LOCK = 0x50C_C033
_HIT = "SELECT hit_id, tenant_id, rule, event_id, event_key, at, fields, processed FROM soc_hit"


async def copy(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert hits."""
    await conn.copy_records_to_table(HIT.name, records=rows, columns=[*HIT.columns])


async def try_lock(conn: Connection) -> bool:
    """Take the lock of correlations for this transaction; return False when another process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK))


async def fetch_oldest_waiting(db: Database) -> datetime | None:
    """Return when the oldest hit that was not processed was received; None where there is none."""
    found: datetime | None = await db.fetchval(
        "SELECT received_at FROM soc_hit WHERE processed IS NULL ORDER BY hit_id LIMIT 1"
    )
    return found


async def fetch_waiting(conn: Connection, limit: int) -> Sequence[Any]:
    """Return hits that were not processed, the oldest first."""
    return await conn.fetch(f"{_HIT} WHERE processed IS NULL ORDER BY hit_id LIMIT $1", limit)  # type: ignore[no-any-return]


async def fetch_last_processed(conn: Connection) -> int:
    """Return the number of the hit that was processed last; 0 where there is none."""
    return await conn.fetchval("SELECT coalesce(max(processed), 0) FROM soc_hit")  # type: ignore[no-any-return]


async def fetch_processed(conn: Connection, since: datetime, after: int, limit: int) -> Sequence[Any]:
    """Return hits received since a time in the order in which they were processed, after a number."""
    return await conn.fetch(  # type: ignore[no-any-return]
        f"{_HIT} WHERE processed > $2 AND received_at >= $1 ORDER BY processed LIMIT $3", since, after, limit
    )


async def mark_processed(conn: Connection, ids: Sequence[int], numbers: Sequence[int]) -> None:
    """Keep in which order hits were processed."""
    await conn.execute(
        "UPDATE soc_hit SET processed = n.number FROM unnest($1::bigint[], $2::bigint[]) AS n (id, number)"
        " WHERE hit_id = n.id",
        ids,
        numbers,
    )


async def delete_before(db: Database, before: datetime) -> None:
    """Delete processed hits that were received before a time, but for the last one, whose number is continued."""
    await db.fetchval(
        "WITH gone AS (DELETE FROM soc_hit WHERE processed < (SELECT max(processed) FROM soc_hit)"
        " AND received_at < $1 RETURNING 1) SELECT count(*) FROM gone",
        before,
    )
