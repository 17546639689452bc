"""SQL of instances in quarantine."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table

QUARANTINE = Table(
    "imaging_quarantine",
    Kind.LOCAL,
    {
        "quarantine_id": "uuid",
        "received_at": "timestamptz",
        "reason": "text",
        "detail": "text",
        "person_id": "uuid",
        "depositor_id": "uuid",
        "depositor": "text",
        "study_uid": "text",
        "instance_uid": "text",
        "size": "bigint",
        "sha256": "bytea",
        "object_name": "text",
    },
)
_COLUMNS = ", ".join(QUARANTINE.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """An instance that was not taken in (see the migration)."""

    quarantine_id: UUID
    received_at: datetime
    reason: str
    detail: str
    person_id: UUID | None
    depositor_id: UUID
    depositor: str
    study_uid: str
    instance_uid: str
    size: int
    sha256: bytes
    object_name: str


def quarantine_row(one: Quarantined) -> Row:
    """Return the row of an instance in quarantine."""
    return QUARANTINE, tuple(getattr(one, name) for name in QUARANTINE.columns)


async def kept_bytes(db: Database) -> int:
    """Return how many bytes are kept in quarantine."""
    found: int = await db.fetchval(
        "SELECT coalesce(sum(size), 0)::bigint FROM imaging_quarantine WHERE object_name <> ''"
    )
    return found


async def fetch_quarantined(db: Database, limit: int) -> list[Quarantined]:
    """Return the instances in quarantine, the latest first."""
    rows = await db.fetch(f"SELECT {_COLUMNS} FROM imaging_quarantine ORDER BY quarantine_id DESC LIMIT $1", limit)  # noqa: S608
    return [Quarantined(**dict(row)) for row in rows]


async def delete_before(conn: Connection, before: datetime, most: int) -> list[str]:
    """Delete up to `most` entries of before a moment; return the names of their objects ("" for none kept)."""
    rows = await conn.fetch(
        "DELETE FROM imaging_quarantine WHERE quarantine_id IN"
        " (SELECT quarantine_id FROM imaging_quarantine WHERE received_at < $1 LIMIT $2) RETURNING object_name",
        before,
        most,
    )
    return [row["object_name"] for row in rows]
