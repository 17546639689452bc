"""The SQL of passkeys."""

from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.signin.model import Passkey

PASSKEY = Table(
    "signin_passkey",
    Kind.LOCAL,
    {
        "credential_id": "bytea",
        "holder_kind": "text",
        "holder_id": "uuid",
        "public_key": "bytea",
        "sign_count": "bigint",
        "name": "text",
        "synced": "boolean",
        "added_at": "timestamptz",
        "used_at": "timestamptz",
    },
)
_SELECT = """
    SELECT credential_id, holder_kind, holder_id, public_key, sign_count, name, synced, added_at, used_at
    FROM signin_passkey
"""


def passkey_row(passkey: Passkey) -> Row:
    """Return the row of a passkey."""
    return PASSKEY, tuple(getattr(passkey, column) for column in PASSKEY.columns)


async def find_passkey(db: Database, credential_id: bytes) -> Passkey | None:
    """Return the passkey with a credential id, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE credential_id = $1", credential_id)
    return _passkey(row) if row else None


async def fetch_passkeys(db: Database | Connection, holder_id: UUID) -> list[Passkey]:
    """Return the passkeys of a holder, the oldest first."""
    rows = await db.fetch(f"{_SELECT} WHERE holder_id = $1 ORDER BY added_at, credential_id", holder_id)
    return [_passkey(row) for row in rows]


async def lock_passkeys(conn: Connection, holder_id: UUID) -> list[Passkey]:
    """Return the passkeys of a holder, locked until the end of the transaction."""
    rows = await conn.fetch(f"{_SELECT} WHERE holder_id = $1 ORDER BY credential_id FOR UPDATE", holder_id)
    return [_passkey(row) for row in rows]


async def mark_used(db: Database, credential_id: bytes, sign_count: int, at: datetime) -> bool:
    """Write that a passkey was used; False where another use wrote a counter that is not lower."""
    found = await db.fetchval(
        "UPDATE signin_passkey SET sign_count = $2, used_at = $3 WHERE credential_id = $1"
        " AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING true",
        credential_id,
        sign_count,
        at,
    )
    return bool(found)


async def rename(db: Database, holder_id: UUID, credential_id: bytes, name: str) -> bool:
    """Write the name of a holder's passkey; return whether there is one."""
    found = await db.fetchval(
        "UPDATE signin_passkey SET name = $3 WHERE holder_id = $1 AND credential_id = $2 RETURNING true",
        holder_id,
        credential_id,
        name,
    )
    return bool(found)


async def delete_passkey(conn: Connection, credential_id: bytes) -> None:
    """Delete a passkey."""
    await conn.execute("DELETE FROM signin_passkey WHERE credential_id = $1", credential_id)


async def delete_passkeys(conn: Connection, holder_id: UUID) -> int:
    """Delete all passkeys of a holder; return how many."""
    return len(await conn.fetch("DELETE FROM signin_passkey WHERE holder_id = $1 RETURNING true", holder_id))


def _passkey(row: asyncpg.Record) -> Passkey:
    return Passkey(**dict(row))
