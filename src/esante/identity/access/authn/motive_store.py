"""The SQL of the motives that people stated for the tasks of their sessions."""

from datetime import datetime

from esante.core.storage import Database, Kind, Table
from esante.identity.directory import Motive

MOTIVE = Table(
    "access_motive",
    Kind.LOCAL,
    {
        "session_key": "bytea",
        "task": "text",
        "purpose": "text",
        "file_reference": "text",
        "stated_at": "timestamptz",
    },
)


async def fetch_motive(db: Database, session_key: bytes, task: str) -> Motive | None:
    """Return the motive stated for a task of a session, or None."""
    row = await db.fetchrow(
        "SELECT purpose, file_reference FROM access_motive WHERE session_key = $1 AND task = $2", session_key, task
    )
    return Motive(row["purpose"], row["file_reference"]) if row else None


async def save_motive(db: Database, session_key: bytes, task: str, motive: Motive, at: datetime) -> None:
    """Write the motive of a task, in place of an earlier one."""
    await db.fetch(
        "INSERT INTO access_motive VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session_key, task) DO UPDATE"
        " SET purpose = excluded.purpose, file_reference = excluded.file_reference, stated_at = excluded.stated_at",
        session_key,
        task,
        motive.purpose,
        motive.file_reference,
        at,
    )


async def delete_old(db: Database, before: datetime) -> None:
    """Delete the motives stated before a moment."""
    await db.fetch("DELETE FROM access_motive WHERE stated_at < $1", before)
