"""SQL of what operators see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from esante.core.storage import Connection, Database

_LISTED = "quarantine_id, received_at, reason, detail, depositor, study_uid, size, settled_at, settled_by, note"


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """An instance in quarantine as operators see it: not whose it is, and not its bytes."""

    quarantine_id: UUID
    received_at: datetime
    reason: str
    detail: str
    depositor: str
    study_uid: str
    size: int
    settled_at: datetime | None
    settled_by: str
    note: str


async def count_studies_by_day(db: Database, since: datetime, zone: str) -> dict[date, int]:
    """Return how many studies came in on each day of a time zone since a moment."""
    rows = await db.fetch(
        "SELECT (received_at AT TIME ZONE $2)::date AS day, count(*) AS studies FROM imaging_study"
        " WHERE received_at >= $1 GROUP BY day",
        since,
        zone,
    )
    return {row["day"]: row["studies"] for row in rows}


async def count_quarantined_by_day(db: Database, since: datetime, zone: str) -> dict[date, int]:
    """Return how many instances went into quarantine on each day of a time zone since a moment."""
    rows = await db.fetch(
        "SELECT (received_at AT TIME ZONE $2)::date AS day, count(*) AS instances FROM imaging_quarantine"
        " WHERE received_at >= $1 GROUP BY day",
        since,
        zone,
    )
    return {row["day"]: row["instances"] for row in rows}


async def search_quarantine(
    db: Database, text: str, reasons: Sequence[str], *, settled: bool, before: UUID, limit: int
) -> list[QuarantineEntry]:
    """Return entries, the latest first, from before a key on; with a text in them or for one of some reasons."""
    rows = await db.fetch(
        f"SELECT {_LISTED} FROM imaging_quarantine WHERE quarantine_id < $1 AND (settled_at IS NOT NULL) = $2"  # noqa: S608
        " AND ($3 = '' OR reason = ANY ($4)"
        " OR position(lower($3) in lower(depositor || ' ' || study_uid || ' ' || instance_uid || ' ' || detail)) > 0)"
        " ORDER BY quarantine_id DESC LIMIT $5",
        before,
        settled,
        text,
        list(reasons),
        limit,
    )
    return [QuarantineEntry(**dict(row)) for row in rows]


async def settle(conn: Connection, quarantine_id: UUID, by: str, note: str, at: datetime) -> bool:
    """Set what was done about an instance; return whether it was open."""
    done = await conn.fetchval(
        "UPDATE imaging_quarantine SET settled_at = $2, settled_by = $3, note = $4"
        " WHERE quarantine_id = $1 AND settled_at IS NULL RETURNING quarantine_id",
        quarantine_id,
        at,
        by,
        note,
    )
    return done is not None
