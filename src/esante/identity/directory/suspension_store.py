"""The SQL of suspensions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table

SUSPENSION = Table(
    "directory_suspension",
    Kind.REFERENCE,
    {"holder_id": "uuid", "holder_kind": "text", "since": "timestamptz", "reason": "text"},
)


async def add_suspension(conn: Connection, holder_id: UUID, kind: str, since: datetime, reason: str) -> bool:
    """Insert the suspension of a holder; return whether it is new."""
    added = await conn.fetchval(
        f"{SUSPENSION.insert_sql()} ON CONFLICT DO NOTHING RETURNING true", [holder_id], [kind], [since], [reason]
    )
    return bool(added)


async def delete_suspension(conn: Connection, holder_id: UUID) -> bool:
    """Delete the suspension of a holder; return whether there was one."""
    deleted = await conn.fetchval("DELETE FROM directory_suspension WHERE holder_id = $1 RETURNING true", holder_id)
    return bool(deleted)


async def fetch_suspended(db: Database, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Return those of `ids` who are suspended."""
    rows = await db.fetch("SELECT holder_id FROM directory_suspension WHERE holder_id = ANY($1)", list(ids))
    return frozenset(row["holder_id"] for row in rows)
