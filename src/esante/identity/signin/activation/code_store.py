"""The SQL of codes with which somebody adds a passkey."""

from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.signin.model import CodePurpose, SignInCode

CODE = Table(
    "signin_code",
    Kind.LOCAL,
    {
        "code_hash": "bytea",
        "holder_kind": "text",
        "holder_id": "uuid",
        "purpose": "text",
        "issued_at": "timestamptz",
        "expires_at": "timestamptz",
        "failures": "integer",
        "used_at": "timestamptz",
    },
)
_SELECT = """
    SELECT code_hash, holder_kind, holder_id, purpose, issued_at, expires_at, failures, used_at FROM signin_code
"""


def code_row(code: SignInCode) -> Row:
    """Return the row of a code."""
    return CODE, tuple(getattr(code, column) for column in CODE.columns)


async def find_code(db: Database, code_hash: bytes) -> SignInCode | None:
    """Return a code, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE code_hash = $1", code_hash)
    return _code(row) if row else None


async def find_open(db: Database, holder_id: UUID) -> SignInCode | None:
    """Return the code of a holder that was not used, or None; it may have expired."""
    row = await db.fetchrow(f"{_SELECT} WHERE holder_id = $1 AND used_at IS NULL", holder_id)
    return _code(row) if row else None


async def count_failure(db: Database, code_hash: bytes) -> None:
    """Count that the number beside a code was wrong."""
    await db.fetch("UPDATE signin_code SET failures = failures + 1 WHERE code_hash = $1", code_hash)


async def use_code(conn: Connection, code_hash: bytes, most_failures: int, at: datetime) -> SignInCode | None:
    """Write that a code was used; return it, None where it was used, has expired or failed too often."""
    row = await conn.fetchrow(
        "UPDATE signin_code SET used_at = $3 WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $3"
        " AND failures < $2 RETURNING *",
        code_hash,
        most_failures,
        at,
    )
    return _code(row) if row else None


async def delete_open(conn: Connection, holder_id: UUID) -> None:
    """Delete the codes of a holder that were not used."""
    await conn.execute("DELETE FROM signin_code WHERE holder_id = $1 AND used_at IS NULL", holder_id)


async def delete_old(db: Database, before: datetime) -> None:
    """Delete the codes that expired before a moment."""
    await db.fetch("DELETE FROM signin_code WHERE expires_at < $1", before)


def _code(row: asyncpg.Record) -> SignInCode:
    return SignInCode(**dict(row) | {"purpose": CodePurpose(row["purpose"])})
