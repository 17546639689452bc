"""The SQL of presence codes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from esante.core.storage import Connection, Kind, Table

CODE = Table(
    "access_code",
    Kind.LOCAL,
    {"code_hash": "bytea", "person_id": "uuid", "lasts": "interval", "expires_at": "timestamptz"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceCode:
    """A presence code as stored: `lasts` is the duration of its grant, `expires_at` the end of its redemption."""

    person_id: UUID
    lasts: timedelta
    expires_at: datetime
    used_at: datetime | None


async def lock_code(conn: Connection, code_hash: bytes) -> PresenceCode | None:
    """Return a presence code by its hash and lock its row until the end of the transaction; None when unknown."""
    row = await conn.fetchrow(
        "SELECT person_id, lasts, expires_at, used_at FROM access_code WHERE code_hash = $1 FOR UPDATE", code_hash
    )
    return PresenceCode(**row) if row else None


async def mark_code_used(conn: Connection, code_hash: bytes, at: datetime) -> None:
    """Mark a presence code as used."""
    await conn.execute("UPDATE access_code SET used_at = $2 WHERE code_hash = $1", code_hash, at)
