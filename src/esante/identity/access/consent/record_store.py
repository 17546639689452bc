"""The SQL of the lifecycle of records: what is due, what ended, who used a record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database
from esante.identity.access.model import RecordState


async def fetch_due(db: Database, now: datetime, limit: int) -> list[UUID]:
    """Return up to `limit` persons whose announced record is due to open: the time to object has ended."""
    rows = await db.fetch(
        "SELECT person_id FROM access_record WHERE state = 'announced' AND objection_until <= $1"
        " AND deceased_at IS NULL LIMIT $2",
        now,
        limit,
    )
    return [row["person_id"] for row in rows]


async def open_due(conn: Connection, persons: Sequence[UUID], now: datetime) -> list[UUID]:
    """Open the records of those of `persons` that are still due; return the persons of the opened records."""
    rows = await conn.fetch(
        "UPDATE access_record SET state = 'open', changed_at = $2 WHERE person_id = ANY($1) AND state = 'announced'"
        " AND objection_until <= $2 AND deceased_at IS NULL RETURNING person_id",
        list(persons),
        now,
    )
    return [row["person_id"] for row in rows]


async def set_state(conn: Connection, person_id: UUID, state: RecordState, at: datetime, cause: str = "") -> None:
    """Write the state of a record; a new one, after a deletion, was not used yet."""
    await conn.execute(
        "UPDATE access_record SET state = $2, changed_at = $3, cause = $4, idle_since = NULL,"
        " first_access_at = CASE WHEN state = 'deleted' THEN NULL ELSE first_access_at END WHERE person_id = $1",
        person_id,
        state.value,
        at,
        cause,
    )


async def set_deceased(conn: Connection, person_id: UUID, at: datetime | None) -> None:
    """Write when a person died (None: the person lives)."""
    await conn.execute("UPDATE access_record SET deceased_at = $2 WHERE person_id = $1", person_id, at)


@dataclass(frozen=True, slots=True)
class EndedRecord:
    """A record that was objected to or closed, since when."""

    person_id: UUID
    state: RecordState
    since: datetime


async def fetch_unplanned(db: Database, limit: int) -> list[EndedRecord]:
    """Return records that were objected to or closed and whose deletion is not planned."""
    rows = await db.fetch(
        "SELECT r.person_id, r.state, r.changed_at FROM access_record r WHERE r.state IN ('objected', 'closed')"
        " AND NOT EXISTS (SELECT FROM access_disposition d WHERE d.person_id = r.person_id AND d.act = 'delete'"
        " AND d.state IN ('planned', 'running')) LIMIT $1",
        limit,
    )
    return [EndedRecord(row["person_id"], RecordState(row["state"]), row["changed_at"]) for row in rows]


async def fetch_idle(db: Database, before: datetime, after: UUID, limit: int) -> list[UUID]:
    """Return the persons, by key after one, of open records that are not known to have been used since a moment.

    Those whose closing is planned are left out.
    """
    rows = await db.fetch(
        "SELECT r.person_id FROM access_record r WHERE r.state = 'open'"
        " AND coalesce(r.idle_since, r.changed_at) < $1 AND NOT EXISTS (SELECT FROM access_disposition d"
        " WHERE d.person_id = r.person_id AND d.act = 'close' AND d.state IN ('planned', 'running'))"
        " AND r.person_id > $2 ORDER BY r.person_id LIMIT $3",
        before,
        after,
        limit,
    )
    return [row["person_id"] for row in rows]


async def set_idle_since(conn: Connection, person_id: UUID, at: datetime) -> None:
    """Write a moment at which a record was used."""
    await conn.execute("UPDATE access_record SET idle_since = $2 WHERE person_id = $1", person_id, at)


async def mark_first_access(conn: Connection, persons: Sequence[UUID], moments: Sequence[datetime]) -> list[UUID]:
    """Write when a professional first had access to records; return the persons for whom it was not known yet."""
    rows = await conn.fetch(
        "UPDATE access_record r SET first_access_at = w.at"
        " FROM unnest($1::uuid[], $2::timestamptz[]) AS w (person_id, at)"
        " WHERE r.person_id = w.person_id AND r.first_access_at IS NULL RETURNING r.person_id",
        list(persons),
        list(moments),
    )
    return [row["person_id"] for row in rows]


async def delete_consents(conn: Connection, person_id: UUID) -> int:
    """Delete a person's grants, blocks, stays, refusals of stays, codes and oppositions, and reset sharing.

    Return how many. Who acts for the person stays: without it a child could open a new record like an adult.
    """
    count = 0
    tables = ("access_grant", "access_block", "access_stay", "access_stay_refusal", "access_code", "access_opposition")
    for table in tables:
        status = await conn.execute(f"DELETE FROM {table} WHERE person_id = $1", person_id)  # noqa: S608 - constants
        count += int(status.rpartition(" ")[2])
    await conn.execute("UPDATE access_record SET sharing = true WHERE person_id = $1", person_id)
    return count
