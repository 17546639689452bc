"""The SQL of the kept uploads."""

from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Database, Kind, Table, insert

UPLOAD = Table(
    "kept_upload",
    Kind.LOCAL,
    {
        "upload_id": "uuid",
        "session_key": "bytea",
        "requester_id": "uuid",
        "person_id": "uuid",
        "name": "text",
        "content": "bytea",
        "kept_at": "timestamptz",
    },
)


async def insert_upload(db: Database, row: tuple[UUID, bytes, UUID, UUID, str, bytes, datetime], most: int) -> None:
    """Insert an upload (the values of `UPLOAD`), and delete all but the newest `most` of its requester."""
    async with db.transaction() as conn:
        await insert(conn, [(UPLOAD, row)])
        await conn.execute(
            "DELETE FROM kept_upload WHERE requester_id = $1 AND upload_id NOT IN"
            " (SELECT upload_id FROM kept_upload WHERE requester_id = $1 ORDER BY upload_id DESC LIMIT $2)",
            row[2],
            most,
        )


async def find_upload(
    db: Database, upload_id: UUID, session_key: bytes, person_id: UUID, since: datetime
) -> asyncpg.Record | None:
    """Return name and content of an upload of a session for a person that was kept after `since`, or None."""
    return await db.fetchrow(
        "SELECT name, content FROM kept_upload"
        " WHERE upload_id = $1 AND session_key = $2 AND person_id = $3 AND kept_at > $4",
        upload_id,
        session_key,
        person_id,
        since,
    )


async def delete_upload(db: Database, upload_id: UUID, session_key: bytes) -> None:
    """Delete an upload of a session."""
    await db.fetchval("DELETE FROM kept_upload WHERE upload_id = $1 AND session_key = $2", upload_id, session_key)


async def delete_uploads_until(db: Database, moment: datetime) -> None:
    """Delete the uploads that were kept until a moment."""
    await db.fetchval("DELETE FROM kept_upload WHERE kept_at <= $1", moment)
