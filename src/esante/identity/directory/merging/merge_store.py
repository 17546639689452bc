"""The SQL of merges."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Table
from esante.identity.directory.merging.model import Merge, MergeState

MERGE = Table(
    "directory_merge",
    Kind.REFERENCE,
    {
        "merge_id": "uuid",
        "losing_id": "uuid",
        "surviving_id": "uuid",
        "state": "text",
        "reason": "text",
        "proposed_at": "timestamptz",
        "proposed_by": "uuid",
        "proposer": "text",
        "version": "bigint",
    },
)
_OPEN = [MergeState.PROPOSED.value, MergeState.MERGED.value]


async def lock_merges(conn: Connection) -> None:
    """Let one transaction at a time change merges: each then sees those before it, and versions are in order."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('directory merges', 0))")


async def fetch_version(db: Database) -> int:
    """Return a number that grows with every change of a merge; 0 while there is none."""
    return int(await db.fetchval("SELECT coalesce(max(version), 0) FROM directory_merge"))


async def fetch_relation(db: Database) -> Mapping[UUID, UUID]:
    """Return the surviving entry of each entry that was merged into another one."""
    rows = await db.fetch("SELECT losing_id, surviving_id FROM directory_merge WHERE state = 'merged'")
    return {row["losing_id"]: row["surviving_id"] for row in rows}


async def fetch_merge(db: Database | Connection, merge_id: UUID) -> Merge | None:
    """Return a merge, or None."""
    row = await db.fetchrow("SELECT * FROM directory_merge WHERE merge_id = $1", merge_id)
    return _merge(row) if row else None


async def fetch_merges(db: Database | Connection, persons: Sequence[UUID], *, open_only: bool = False) -> list[Merge]:
    """Return the merges of entries, newest first; `open_only`: those that are proposed or in force."""
    rows = await db.fetch(
        "SELECT * FROM directory_merge WHERE (losing_id = ANY($1) OR surviving_id = ANY($1))"
        " AND (NOT $2 OR state = ANY($3)) ORDER BY merge_id DESC",
        list(persons),
        open_only,
        _OPEN,
    )
    return [_merge(row) for row in rows]


async def list_merges(
    db: Database, state: MergeState, persons: Sequence[UUID] | None, before: UUID | None, limit: int
) -> list[Merge]:
    """Return merges of a state, newest first; `persons`: of these entries only (None: of any)."""
    rows = await db.fetch(
        "SELECT * FROM directory_merge WHERE state = $1 AND ($2::uuid IS NULL OR merge_id < $2)"
        " AND ($3::uuid[] IS NULL OR losing_id = ANY($3) OR surviving_id = ANY($3)) ORDER BY merge_id DESC LIMIT $4",
        state.value,
        before,
        persons,
        limit,
    )
    return [_merge(row) for row in rows]


async def add_merge(conn: Connection, merge: Merge) -> None:
    """Insert a proposal."""
    version = await conn.fetchval("SELECT nextval('directory_merge_version')")
    values = (
        merge.id,
        merge.losing_id,
        merge.surviving_id,
        merge.state.value,
        merge.reason,
        merge.proposed_at,
        merge.proposed_by,
        merge.proposer,
        version,
    )
    await conn.execute(MERGE.insert_sql(), *([value] for value in values))


async def decide_merge(
    conn: Connection, merge_id: UUID, state: MergeState, at: datetime, by: UUID, name: str, reason: str
) -> None:
    """Write that a proposal was confirmed or withdrawn."""
    version = await conn.fetchval("SELECT nextval('directory_merge_version')")
    await conn.execute(
        "UPDATE directory_merge SET state = $2, decided_at = $3, decided_by = $4, decider = $5, decision_reason = $6,"
        " version = $7 WHERE merge_id = $1",
        merge_id,
        state.value,
        at,
        by,
        name,
        reason,
        version,
    )


async def undo_merge(conn: Connection, merge_id: UUID, at: datetime, by: UUID, name: str, reason: str) -> None:
    """Write that a merge was undone."""
    version = await conn.fetchval("SELECT nextval('directory_merge_version')")
    await conn.execute(
        "UPDATE directory_merge SET state = 'undone', undone_at = $2, undone_by = $3, undoer = $4, undo_reason = $5,"
        " version = $6 WHERE merge_id = $1",
        merge_id,
        at,
        by,
        name,
        reason,
        version,
    )


def _merge(row: asyncpg.Record) -> Merge:
    values = {**row}
    values["id"] = values.pop("merge_id")
    del values["version"]
    return Merge(**{**values, "state": MergeState(values["state"])})
