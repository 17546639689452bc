"""SQL of access tokens, registered clients and used client assertions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.core.types import Json

TOKEN = Table(
    "access_token",
    Kind.LOCAL,
    {
        "token_hash": "bytea",
        "principal": "jsonb",
        "scopes": "text",
        "expires_at": "timestamptz",
        "client_id": "text",
        "connection_id": "uuid",
    },
)
CLIENT = Table(
    "software_client",
    Kind.LOCAL,
    {
        "client_id": "text",
        "name": "text",
        "maker": "text",
        "organization_id": "uuid",
        "jwks": "jsonb",
        "scopes": "text",
        "redirect_uris": "text",
        "launch_url": "text",
        "disabled": "boolean",
    },
)
ASSERTION = Table(
    "access_assertion", Kind.LOCAL, {"client_id": "text", "jti_hash": "bytea", "expires_at": "timestamptz"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What an access token stands for; that of an app belongs to a connection (`AppConnection`)."""

    principal: Json
    scopes: frozenset[str]
    expires_at: datetime
    client_id: str = ""
    connection_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareClient:
    """A registered client: an organisation's software with tokens of its own, an app that people use, or both.

    `jwks` is the set of its public keys; without any it is a public client (RFC 6749, section 2.1). Authorization
    responses go to `redirect_uris` only. The portal launches the app at `launch_url`, "" for a client it does not
    launch.
    """

    client_id: str
    name: str
    maker: str = ""
    organization_id: UUID | None = None
    jwks: Json = field(default_factory=dict)
    scopes: frozenset[str]
    redirect_uris: tuple[str, ...] = ()
    launch_url: str = ""
    disabled: bool = False

    @property
    def public(self) -> bool:
        """Whether the client has no key with which to authenticate."""
        return not self.jwks


def token_row(token_hash: bytes, token: AccessToken) -> Row:
    """Return the row of a new access token; `token_hash`: its SHA-256."""
    scopes = " ".join(sorted(token.scopes))
    values = json.dumps(token.principal), scopes, token.expires_at, token.client_id, token.connection_id
    return TOKEN, (token_hash, *values)


async def find_token(db: Database, token_hash: bytes) -> AccessToken | None:
    """Return a valid token: not expired, its client not disabled, its connection and authorization not ended."""
    row = await db.fetchrow(
        """
        SELECT t.principal, t.scopes, t.expires_at, t.client_id, t.connection_id
        FROM access_token t
        LEFT JOIN software_client s ON s.client_id = t.client_id
        LEFT JOIN app_connection c ON c.connection_id = t.connection_id
        LEFT JOIN app_authorization a ON a.authorization_id = c.authorization_id
        WHERE t.token_hash = $1 AND t.expires_at > now() AND s.disabled IS NOT TRUE
          AND (t.connection_id IS NULL OR (c.ended_at IS NULL AND a.revoked_at IS NULL AND a.until > now()))
        """,
        token_hash,
    )
    if row is None:
        return None
    return AccessToken(
        principal=json.loads(row["principal"]),
        scopes=frozenset(row["scopes"].split()),
        expires_at=row["expires_at"],
        client_id=row["client_id"],
        connection_id=row["connection_id"],
    )


async def connection_of_token(conn: Connection, token_hash: bytes) -> UUID | None:
    """Return the connection that a token belongs to, if any, also when the token is no longer valid."""
    connection_id: UUID | None = await conn.fetchval(
        "SELECT connection_id FROM access_token WHERE token_hash = $1", token_hash
    )
    return connection_id


async def delete_tokens_of(conn: Connection, principal_id: UUID) -> int:
    """Delete all access tokens of a requester; return how many had not expired."""
    rows = await conn.fetch(
        "DELETE FROM access_token WHERE principal->>'id' = $1 RETURNING expires_at > now() AS live", str(principal_id)
    )
    return sum(row["live"] for row in rows)


async def delete_token(conn: Connection, token_hash: bytes, client_id: str) -> None:
    """Delete an access token of a client."""
    await conn.execute("DELETE FROM access_token WHERE token_hash = $1 AND client_id = $2", token_hash, client_id)


_CLIENT = f"SELECT {', '.join(CLIENT.columns)} FROM software_client"  # noqa: S608 - names are declared in code


async def find_client(db: Database | Connection, client_id: str) -> SoftwareClient | None:
    """Return a registered client that is not disabled, or None."""
    row = await db.fetchrow(f"{_CLIENT} WHERE client_id = $1 AND NOT disabled", client_id)
    return _client(row) if row else None


async def fetch_clients(db: Database, client_ids: Sequence[str] | None = None) -> list[SoftwareClient]:
    """Return all registered clients (or those of `client_ids`), the disabled ones too, by name."""
    where = " WHERE $1::text[] IS NULL OR client_id = ANY($1) ORDER BY name, client_id"
    rows = await db.fetch(_CLIENT + where, None if client_ids is None else list(client_ids))
    return [_client(row) for row in rows]


async def upsert_client(conn: Connection, client: SoftwareClient) -> None:
    """Insert a client, or update its registration."""
    columns = [column for column in CLIENT.columns if column != "client_id"]
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    await conn.execute(
        f"{CLIENT.insert_sql()} ON CONFLICT (client_id) DO UPDATE SET {changes}",
        [client.client_id],
        [client.name],
        [client.maker],
        [client.organization_id],
        [json.dumps(client.jwks)],
        [" ".join(sorted(client.scopes))],
        [" ".join(client.redirect_uris)],
        [client.launch_url],
        [client.disabled],
    )


def _client(row: asyncpg.Record) -> SoftwareClient:
    decoded = {
        "jwks": json.loads(row["jwks"]),
        "scopes": frozenset(row["scopes"].split()),
        "redirect_uris": tuple(row["redirect_uris"].split()),
    }
    return SoftwareClient(**{**row, **decoded})
