"""SQL of the sessions."""

from datetime import datetime

import asyncpg

from esante.core.storage import Connection, Database, Kind, Table

SESSION = Table(
    "web_session",
    Kind.LOCAL,
    {"token_hash": "bytea", "principal": "jsonb", "csrf": "text", "expires_at": "timestamptz"},
)


async def insert_session(db: Database, token_hash: bytes, principal: str, csrf: str, expires_at: datetime) -> None:
    """Insert a session; `principal` is JSON."""
    await db.write([(SESSION, (token_hash, principal, csrf, expires_at))])


async def live_session(db: Database, token_hash: bytes) -> asyncpg.Record | None:
    """Return principal, csrf and expires_at of a session that has not expired, or None."""
    return await db.fetchrow(
        "SELECT principal, csrf, expires_at FROM web_session WHERE token_hash = $1 AND expires_at > now()", token_hash
    )


async def is_live(conn: Connection, token_hash: bytes) -> bool:
    """Return whether there is such a session and it has not expired."""
    found = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM web_session WHERE token_hash = $1 AND expires_at > now())", token_hash
    )
    return bool(found)


async def live_sessions_of(db: Database, principal_id: str) -> list[asyncpg.Record]:
    """Return token_hash, principal and expires_at of the sessions of a principal, and of those as a delegate."""
    return await db.fetch(
        """
        SELECT token_hash, principal, expires_at FROM web_session
        WHERE (principal->>'id' = $1 OR principal->'delegate'->>0 = $1) AND expires_at > now() ORDER BY expires_at DESC
        """,
        principal_id,
    )


async def delete_session_of(conn: Connection, principal_id: str, token_hash: bytes) -> bool:
    """Delete one of the sessions of `live_sessions_of`; return whether there was one."""
    found = await conn.fetchval(
        "DELETE FROM web_session WHERE (principal->>'id' = $1 OR principal->'delegate'->>0 = $1) AND token_hash = $2"
        " RETURNING true",
        principal_id,
        token_hash,
    )
    return bool(found)


async def delete_sessions_of(conn: Connection, principal_id: str) -> list[bytes]:
    """Delete all sessions of a principal by the `id` that it was stored with; return their keys."""
    rows = await conn.fetch(
        "DELETE FROM web_session WHERE principal->>'id' = $1 RETURNING token_hash, expires_at > now() AS live",
        principal_id,
    )
    return [row["token_hash"] for row in rows if row["live"]]


async def delete_session(db: Database, token_hash: bytes) -> None:
    """Delete a session, and every session that has expired."""
    await db.fetchval("DELETE FROM web_session WHERE token_hash = $1 OR expires_at < now()", token_hash)
