"""SQL of app authorizations, their connections, refresh tokens and launches."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.core.types import Json

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
    """What a person (`holder_id`) allowed a client: `scopes` of those `requested`; `patient_id`: about one patient."""

    authorization_id: UUID
    client_id: str
    holder_id: UUID
    patient_id: UUID | None
    requested: frozenset[str]
    scopes: frozenset[str]
    given_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConnection:
    """One use of an authorization by a client: an authorization code, and what the tokens issued for it stand for."""

    connection_id: UUID
    authorization_id: UUID
    principal: Json
    scopes: frozenset[str]
    session_hash: bytes
    code_until: datetime
    redirect_uri: str
    challenge: str
    nonce: str
    until: datetime
    code_used: bool = False
    alive: bool = True
    """Whether neither the connection nor its authorization has ended."""
    client_id: str = ""


def authorization_row(authorization: Authorization) -> Row:
    """Return the row of a new authorization."""
    return AUTHORIZATION, (
        authorization.authorization_id,
        authorization.client_id,
        authorization.holder_id,
        authorization.patient_id,
        _join(authorization.requested),
        _join(authorization.scopes),
        authorization.given_at,
        authorization.until,
    )


def connection_row(connection: AppConnection, code_hash: bytes) -> Row:
    """Return the row of a new connection; `code_hash`: the SHA-256 of its authorization code."""
    return CONNECTION, (
        connection.connection_id,
        connection.authorization_id,
        json.dumps(connection.principal),
        _join(connection.scopes),
        connection.session_hash,
        code_hash,
        connection.code_until,
        connection.redirect_uri,
        connection.challenge,
        connection.nonce,
        connection.until,
    )


_AUTHORIZATION = (
    f"SELECT {', '.join(AUTHORIZATION.columns)} FROM app_authorization"  # noqa: S608 - names are declared in code
    " WHERE revoked_at IS NULL AND until > now() AND holder_id = $1"
)


async def fetch_authorizations(db: Database | Connection, holder_id: UUID) -> list[Authorization]:
    """Return the authorizations of a person that are in force, the newest first."""
    rows = await db.fetch(f"{_AUTHORIZATION} ORDER BY authorization_id DESC", holder_id)
    return [_authorization(row) for row in rows]


async def find_authorization(
    db: Database | Connection, holder_id: UUID, client_id: str, patient_id: UUID | None
) -> Authorization | None:
    """Return the newest authorization in force of a client by a person, about a patient or (None) no one patient."""
    row = await db.fetchrow(
        f"{_AUTHORIZATION} AND client_id = $2 AND patient_id IS NOT DISTINCT FROM $3"
        " ORDER BY authorization_id DESC LIMIT 1",
        holder_id,
        client_id,
        patient_id,
    )
    return _authorization(row) if row else None


async def update_authorization(conn: Connection, authorization: Authorization) -> None:
    """Update the scopes and the times of an authorization."""
    await conn.execute(
        "UPDATE app_authorization SET asked = $2, scopes = $3, given_at = $4, until = $5 WHERE authorization_id = $1",
        authorization.authorization_id,
        _join(authorization.requested),
        _join(authorization.scopes),
        authorization.given_at,
        authorization.until,
    )


async def revoke_authorization(conn: Connection, holder_id: UUID, authorization_id: UUID, at: datetime) -> bool:
    """End an authorization; return whether there was one that had not ended."""
    ended = await conn.fetchval(
        "UPDATE app_authorization SET revoked_at = $3 WHERE holder_id = $1 AND authorization_id = $2"
        " AND revoked_at IS NULL RETURNING true",
        holder_id,
        authorization_id,
        at,
    )
    return bool(ended)


async def revoke_all_of(conn: Connection, holder_id: UUID, at: datetime) -> list[tuple[str, UUID | None]]:
    """End all authorizations of a person in force; return of each the client, and the one patient it is about.

    Their connections, access tokens and refresh tokens end with them.
    """
    rows = await conn.fetch(
        "UPDATE app_authorization SET revoked_at = $2 WHERE holder_id = $1 AND revoked_at IS NULL AND until > now()"
        " RETURNING client_id, patient_id",
        holder_id,
        at,
    )
    return [(row["client_id"], row["patient_id"]) for row in rows]


_CONNECTION = """
SELECT c.connection_id, c.authorization_id, c.principal, c.scopes, c.session_hash, c.code_until, c.redirect_uri,
    c.challenge, c.nonce, c.until, c.code_used_at IS NOT NULL AS code_used, a.client_id,
    c.ended_at IS NULL AND c.until > now() AND a.revoked_at IS NULL AND a.until > now() AS alive
FROM app_connection c JOIN app_authorization a USING (authorization_id)
"""


async def lock_connection_by_code(conn: Connection, code_hash: bytes) -> AppConnection | None:
    """Return the connection of an authorization code, locked until the end of the transaction."""
    row = await conn.fetchrow(f"{_CONNECTION} WHERE c.code_hash = $1 FOR UPDATE OF c", code_hash)
    return _connection(row) if row else None


async def lock_connection(conn: Connection, connection_id: UUID) -> AppConnection | None:
    """Return a connection, locked until the end of the transaction."""
    row = await conn.fetchrow(f"{_CONNECTION} WHERE c.connection_id = $1 FOR UPDATE OF c", connection_id)
    return _connection(row) if row else None


async def mark_code_used(conn: Connection, connection_id: UUID, at: datetime) -> None:
    """Mark the authorization code of a connection as used."""
    await conn.execute("UPDATE app_connection SET code_used_at = $2 WHERE connection_id = $1", connection_id, at)


async def end_connection(conn: Connection, connection_id: UUID, at: datetime) -> bool:
    """End a connection with all its tokens; return whether it had not ended before."""
    ended = await conn.fetchval(
        "UPDATE app_connection SET ended_at = $2 WHERE connection_id = $1 AND ended_at IS NULL RETURNING true",
        connection_id,
        at,
    )
    return bool(ended)


async def lock_refresh_token(conn: Connection, token_hash: bytes) -> tuple[UUID, bool] | None:
    """Return the connection of a refresh token that has not expired, and whether it was used; lock its row."""
    row = await conn.fetchrow(
        "SELECT connection_id, used_at IS NOT NULL AS used FROM app_refresh WHERE token_hash = $1 AND until > now()"
        " FOR UPDATE",
        token_hash,
    )
    return (row["connection_id"], row["used"]) if row else None


async def mark_refresh_token_used(conn: Connection, token_hash: bytes, at: datetime) -> None:
    """Mark a refresh token as used."""
    await conn.execute("UPDATE app_refresh SET used_at = $2 WHERE token_hash = $1", token_hash, at)


async def find_launch_patient(db: Database, launch_hash: bytes, client_id: str, session_hash: bytes) -> UUID | None:
    """Return the patient for whom a client was launched in a session; None when the launch has expired."""
    patient_id: UUID | None = await db.fetchval(
        "SELECT patient_id FROM app_launch"
        " WHERE launch_hash = $1 AND client_id = $2 AND session_hash = $3 AND until > now()",
        launch_hash,
        client_id,
        session_hash,
    )
    return patient_id


async def consume_launch(conn: Connection, launch_hash: bytes, client_id: str, session_hash: bytes) -> bool:
    """Delete a launch; return whether it was there and had not expired."""
    deleted = await conn.fetchval(
        "DELETE FROM app_launch"
        " WHERE launch_hash = $1 AND client_id = $2 AND session_hash = $3 AND until > now() RETURNING true",
        launch_hash,
        client_id,
        session_hash,
    )
    return bool(deleted)


async def delete_expired(conn: Connection, before: datetime) -> None:
    """Delete refresh tokens, launches, connections and authorizations that expired before a moment."""
    await conn.execute("DELETE FROM app_refresh WHERE until < $1", before)
    await conn.execute("DELETE FROM app_launch WHERE until < $1", before)
    await conn.execute("DELETE FROM app_connection WHERE until < $1", before)
    await conn.execute("DELETE FROM app_authorization WHERE until < $1", before)


def _authorization(row: asyncpg.Record) -> Authorization:
    columns = dict(row)
    requested = frozenset(columns.pop("asked").split())
    return Authorization(**columns | {"requested": requested, "scopes": frozenset(row["scopes"].split())})


def _connection(row: asyncpg.Record) -> AppConnection:
    decoded = {"principal": json.loads(row["principal"]), "scopes": frozenset(row["scopes"].split())}
    return AppConnection(**{**row, **decoded})


def _join(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))
