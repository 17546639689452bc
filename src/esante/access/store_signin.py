"""The SQL of signing in: bearer tokens, registered software, used assertions."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.storage import Connection, Database, Kind, Row, Table

TOKEN = Table(
    "access_token",
    Kind.LOCAL,
    {"token_hash": "bytea", "principal": "jsonb", "scopes": "text", "expires_at": "timestamptz"},
)
CLIENT = Table(
    "software_client",
    Kind.LOCAL,
    {
        "client_id": "text",
        "name": "text",
        "organization_id": "uuid",
        "jwks": "jsonb",
        "scopes": "text",
        "disabled": "boolean",
    },
)
ASSERTION = Table(
    "access_assertion", Kind.LOCAL, {"client_id": "text", "jti_hash": "bytea", "expires_at": "timestamptz"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a bearer token stands for."""

    principal: dict[str, Any]
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareClient:
    """Software of an organisation that signs in with a key of its own; `jwks` are its public keys."""

    client_id: str
    name: str
    organization_id: UUID
    jwks: dict[str, Any]
    scopes: frozenset[str]
    disabled: bool = False


def token_row(token_hash: bytes, token: Token) -> Row:
    """The row of a new token."""
    scopes = " ".join(sorted(token.scopes))
    return TOKEN, (token_hash, json.dumps(token.principal), scopes, token.expires_at)


async def token(db: Database, token_hash: bytes) -> Token | None:
    """A token that has not expired."""
    row = await db.fetchrow(
        "SELECT principal, scopes, expires_at FROM access_token WHERE token_hash = $1 AND expires_at > now()",
        token_hash,
    )
    if row is None:
        return None
    return Token(
        principal=json.loads(row["principal"]),
        scopes=frozenset(row["scopes"].split()),
        expires_at=row["expires_at"],
    )


async def client(db: Database, client_id: str) -> SoftwareClient | None:
    """A registered client that is not disabled."""
    row = await db.fetchrow(
        "SELECT client_id, name, organization_id, jwks, scopes FROM software_client"
        " WHERE client_id = $1 AND NOT disabled",
        client_id,
    )
    if row is None:
        return None
    return SoftwareClient(
        client_id=row["client_id"],
        name=row["name"],
        organization_id=row["organization_id"],
        jwks=json.loads(row["jwks"]),
        scopes=frozenset(row["scopes"].split()),
    )


async def put_client(conn: Connection, client: SoftwareClient) -> None:
    """Register a client, or change its registration."""
    columns = [column for column in CLIENT.columns if column != "client_id"]
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    await conn.execute(
        f"{CLIENT.insert_sql()} ON CONFLICT (client_id) DO UPDATE SET {changes}",
        [client.client_id],
        [client.name],
        [client.organization_id],
        [json.dumps(client.jwks)],
        [" ".join(sorted(client.scopes))],
        [client.disabled],
    )
