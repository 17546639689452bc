"""The SQL of apps: what they are allowed, each coming of them, refresh tokens, launches."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table

AUTHORIZATION = Table(
    "app_authorization",
    Kind.LOCAL,
    {
        "authorization_id": "uuid",
        "client_id": "text",
        "holder_id": "uuid",
        "patient_id": "uuid",
        "asked": "text",
        "scopes": "text",
        "given_at": "timestamptz",
        "until": "timestamptz",
    },
)
CONNECTION = Table(
    "app_connection",
    Kind.LOCAL,
    {
        "connection_id": "uuid",
        "authorization_id": "uuid",
        "principal": "jsonb",
        "scopes": "text",
        "session_hash": "bytea",
        "code_hash": "bytea",
        "code_until": "timestamptz",
        "redirect_uri": "text",
        "challenge": "text",
        "nonce": "text",
        "until": "timestamptz",
    },
)
REFRESH = Table("app_refresh", Kind.LOCAL, {"token_hash": "bytea", "connection_id": "uuid", "until": "timestamptz"})
LAUNCH = Table(
    "app_launch",
    Kind.LOCAL,
    {
        "launch_hash": "bytea",
        "client_id": "text",
        "patient_id": "uuid",
        "session_hash": "bytea",
        "until": "timestamptz",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What somebody allowed an app, of what it had asked for; `patient_id`: of whom, where it is about one patient."""

    authorization_id: UUID
    client_id: str
    holder_id: UUID
    patient_id: UUID | None
    asked: frozenset[str]
    scopes: frozenset[str]
    given_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConnection:
    """One coming of an app: its code, and what the tokens that follow stand for."""

    connection_id: UUID
    authorization_id: UUID
    principal: dict[str, Any]
    scopes: frozenset[str]
    session_hash: bytes
    code_until: datetime
    redirect_uri: str
    challenge: str
    nonce: str
    until: datetime
    code_used: bool = False
    alive: bool = True
    """Whether neither it nor the permission behind it has ended."""
    client_id: str = ""


def authorization_row(one: Authorization) -> Row:
    """The row of a new permission."""
    values = one.authorization_id, one.client_id, one.holder_id, one.patient_id
    return AUTHORIZATION, (*values, _joined(one.asked), _joined(one.scopes), one.given_at, one.until)


def connection_row(one: AppConnection, code_hash: bytes) -> Row:
    """The row of a new coming of an app."""
    values = one.connection_id, one.authorization_id, json.dumps(one.principal), _joined(one.scopes)
    code = one.session_hash, code_hash, one.code_until, one.redirect_uri, one.challenge, one.nonce, one.until
    return CONNECTION, (*values, *code)


_AUTHORIZATION = (
    f"SELECT {', '.join(AUTHORIZATION.columns)} FROM app_authorization"  # noqa: S608 - names are declared in code
    " WHERE revoked_at IS NULL AND until > now() AND holder_id = $1"
)


async def authorizations(db: Database | Connection, holder_id: UUID) -> list[Authorization]:
    """What somebody allows apps now, the newest first."""
    rows = await db.fetch(f"{_AUTHORIZATION} ORDER BY authorization_id DESC", holder_id)
    return [_authorization(row) for row in rows]


async def authorization(
    db: Database | Connection, holder_id: UUID, client_id: str, patient_id: UUID | None
) -> Authorization | None:
    """What somebody allows an app now, about a patient or (None) nobody in particular."""
    row = await db.fetchrow(
        f"{_AUTHORIZATION} AND client_id = $2 AND patient_id IS NOT DISTINCT FROM $3"
        " ORDER BY authorization_id DESC LIMIT 1",
        holder_id,
        client_id,
        patient_id,
    )
    return _authorization(row) if row else None


async def change(conn: Connection, one: Authorization) -> None:
    """Write anew what is allowed by a permission that goes on."""
    await conn.execute(
        "UPDATE app_authorization SET asked = $2, scopes = $3, given_at = $4, until = $5 WHERE authorization_id = $1",
        one.authorization_id,
        _joined(one.asked),
        _joined(one.scopes),
        one.given_at,
        one.until,
    )


async def revoke(conn: Connection, holder_id: UUID, authorization_id: UUID, at: datetime) -> bool:
    """End a permission; whether there was one."""
    done = await conn.fetchval(
        "UPDATE app_authorization SET revoked_at = $3 WHERE holder_id = $1 AND authorization_id = $2"
        " AND revoked_at IS NULL RETURNING true",
        holder_id,
        authorization_id,
        at,
    )
    return bool(done)


_CONNECTION = """
SELECT c.connection_id, c.authorization_id, c.principal, c.scopes, c.session_hash, c.code_until, c.redirect_uri,
    c.challenge, c.nonce, c.until, c.code_used_at IS NOT NULL AS code_used, a.client_id,
    c.ended_at IS NULL AND c.until > now() AND a.revoked_at IS NULL AND a.until > now() AS alive
FROM app_connection c JOIN app_authorization a USING (authorization_id)
"""


async def by_code(conn: Connection, code_hash: bytes) -> AppConnection | None:
    """The coming of an app that a code stands for, held until the end of the transaction."""
    row = await conn.fetchrow(f"{_CONNECTION} WHERE c.code_hash = $1 FOR UPDATE OF c", code_hash)
    return _connection(row) if row else None


async def connection(db: Database | Connection, connection_id: UUID, *, lock: bool = False) -> AppConnection | None:
    """A coming of an app; `lock` holds it until the end of the transaction."""
    held = " FOR UPDATE OF c" if lock else ""
    row = await db.fetchrow(f"{_CONNECTION} WHERE c.connection_id = $1{held}", connection_id)
    return _connection(row) if row else None


async def use_code(conn: Connection, connection_id: UUID, at: datetime) -> None:
    """Mark the code of a connection as used."""
    await conn.execute("UPDATE app_connection SET code_used_at = $2 WHERE connection_id = $1", connection_id, at)


async def end(conn: Connection, connection_id: UUID, at: datetime) -> bool:
    """End a coming of an app with all its tokens; whether it went on until now."""
    done = await conn.fetchval(
        "UPDATE app_connection SET ended_at = $2 WHERE connection_id = $1 AND ended_at IS NULL RETURNING true",
        connection_id,
        at,
    )
    return bool(done)


async def refresh(conn: Connection, token_hash: bytes) -> tuple[UUID, bool] | None:
    """The connection of a refresh token that has not expired, and whether the token was used already; it is held."""
    row = await conn.fetchrow(
        "SELECT connection_id, used_at IS NOT NULL AS used FROM app_refresh WHERE token_hash = $1 AND until > now()"
        " FOR UPDATE",
        token_hash,
    )
    return (row["connection_id"], row["used"]) if row else None


async def use_refresh(conn: Connection, token_hash: bytes, at: datetime) -> None:
    """Mark a refresh token as used."""
    await conn.execute("UPDATE app_refresh SET used_at = $2 WHERE token_hash = $1", token_hash, at)


async def launched(db: Database, launch_hash: bytes, client_id: str, session_hash: bytes) -> UUID | None:
    """The patient for whom an app was opened in a session; None for a launch that is not there any more."""
    found: UUID | None = await db.fetchval(
        "SELECT patient_id FROM app_launch"
        " WHERE launch_hash = $1 AND client_id = $2 AND session_hash = $3 AND until > now()",
        launch_hash,
        client_id,
        session_hash,
    )
    return found


async def take_launch(conn: Connection, launch_hash: bytes, client_id: str, session_hash: bytes) -> bool:
    """Use a launch up; whether it was there."""
    done = await conn.fetchval(
        "DELETE FROM app_launch"
        " WHERE launch_hash = $1 AND client_id = $2 AND session_hash = $3 AND until > now() RETURNING true",
        launch_hash,
        client_id,
        session_hash,
    )
    return bool(done)


async def tidy(conn: Connection, before: datetime) -> None:
    """Remove what has served its time."""
    await conn.execute("DELETE FROM app_refresh WHERE until < $1", before)
    await conn.execute("DELETE FROM app_launch WHERE until < $1", before)
    await conn.execute("DELETE FROM app_connection WHERE until < $1", before)
    await conn.execute("DELETE FROM app_authorization WHERE until < $1", before)


def _authorization(row: asyncpg.Record) -> Authorization:
    kept = {"asked": frozenset(row["asked"].split()), "scopes": frozenset(row["scopes"].split())}
    return Authorization(**{**row, **kept})


def _connection(row: asyncpg.Record) -> AppConnection:
    kept = {"principal": json.loads(row["principal"]), "scopes": frozenset(row["scopes"].split())}
    return AppConnection(**{**row, **kept})


def _joined(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))
