"""The SQL of what is kept between two requests of a browser that signs in."""

from datetime import datetime

import orjson

from esante.core.storage import Database, Kind, Table
from esante.core.types import Json

CEREMONY = Table(
    "signin_ceremony",
    Kind.LOCAL,
    {"key_hash": "bytea", "purpose": "text", "content": "jsonb", "expires_at": "timestamptz"},
)


async def insert_ceremony(db: Database, key_hash: bytes, purpose: str, content: Json, expires_at: datetime) -> None:
    """Insert a ceremony."""
    await db.write([(CEREMONY, (key_hash, purpose, orjson.dumps(content).decode(), expires_at))])


async def find_ceremony(db: Database, key_hash: bytes, purpose: str, now: datetime) -> Json | None:
    """Return the content of a ceremony that has not expired, or None."""
    found = await db.fetchval(
        "SELECT content FROM signin_ceremony WHERE key_hash = $1 AND purpose = $2 AND expires_at > $3",
        key_hash,
        purpose,
        now,
    )
    return orjson.loads(found) if found else None


async def take_ceremony(db: Database, key_hash: bytes, purpose: str, now: datetime) -> Json | None:
    """Delete a ceremony, and return its content, or None where there is none that has not expired."""
    found = await db.fetchval(
        "DELETE FROM signin_ceremony WHERE key_hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING content",
        key_hash,
        purpose,
        now,
    )
    return orjson.loads(found) if found else None


async def delete_expired(db: Database, now: datetime) -> None:
    """Delete the ceremonies that nobody went on with in time."""
    await db.fetch("DELETE FROM signin_ceremony WHERE expires_at <= $1", now)
