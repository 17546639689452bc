"""SQL of sites, their keys and tokens."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Kind, Table
from esante.services.healthnet.addresses.model import SiteAddresses
from esante.services.healthnet.controller.model import Connection, SiteFacts

TUNNEL_KEY = Table(
    "healthnet_tunnel_key",
    Kind.LOCAL,
    {"site": "text", "generation": "integer", "public_key": "text", "created_at": "timestamptz"},
)
TOKEN = Table("healthnet_token", Kind.LOCAL, {"token_id": "uuid", "site": "text", "expires_at": "timestamptz"})
CONNECTION = Table(
    "healthnet_connection",
    Kind.LOCAL,
    {"site": "text", "kind": "text", "profession": "text", "is_quarantined": "boolean", "network6": "cidr"},
)
_CONNECTION = (
    "SELECT c.*, coalesce((SELECT json_object_agg(k.generation, k.public_key) FROM healthnet_tunnel_key k"
    " WHERE k.site = c.site), '{}') AS keys FROM healthnet_connection c"
)


def _connection(row: Any) -> Connection:
    import json

    facts = SiteFacts(
        site=row["site"],
        kind=row["kind"],
        profession=row["profession"],
        addresses=SiteAddresses(row["network6"], row["network4"]),
        endpoint=row["endpoint"],
        rate_kbit=row["rate_kbit"],
        mtu=row["mtu"],
        is_relay=row["is_relay"],
    )
    names = (
        "is_quarantined",
        "is_revoked",
        "is_suspended",
        "identity",
        "token_id",
        "policy_version",
        "serial",
        "receipt_serial",
    )
    return Connection(
        facts=facts,
        outcome=row["outcome"],
        in_force=row["in_force"],
        keys={int(generation): key for generation, key in sorted(json.loads(row["keys"]).items())},
        **{name: row[name] for name in names},
    )


async def fetch_connections(db: Database | Conn, sites: Iterable[str] | None = None) -> list[Connection]:
    """Return sites, all of them or the named ones."""
    if sites is None:
        rows = await db.fetch(f"{_CONNECTION} ORDER BY c.site")
    else:
        rows = await db.fetch(f"{_CONNECTION} WHERE c.site = ANY($1)", [*sites])
    return [_connection(row) for row in rows]


async def fetch_connection(db: Database | Conn, site: str) -> Connection | None:
    """Return a site, or None."""
    found = await fetch_connections(db, [site])
    return found[0] if found else None


async def fetch_changed(db: Database, since: datetime | None) -> list[Any]:
    """Return what authentication needs of the sites that changed since a moment."""
    return await db.fetch(
        "SELECT c.site, c.identity, c.is_revoked, c.serial, c.changed_at,"
        " (SELECT max(k.generation) FROM healthnet_tunnel_key k WHERE k.site = c.site) AS generation,"
        " (SELECT max(k.created_at) FROM healthnet_tunnel_key k WHERE k.site = c.site) AS key_at"
        " FROM healthnet_connection c WHERE $1::timestamptz IS NULL OR c.changed_at > $1",
        since,
    )


async def put_facts(conn: Conn, facts: SiteFacts, policy_version: int) -> None:
    """Keep the facts of a site; a new one begins with a version of the policy."""
    await conn.execute(
        "INSERT INTO healthnet_connection (site, kind, profession, is_quarantined, network6, network4, endpoint,"
        " rate_kbit, mtu, policy_version, is_relay) VALUES ($1, $2, $3, false, $4, $5, $6, $7, $8, $9, $10)"
        " ON CONFLICT (site) DO UPDATE SET kind = $2, profession = $3, network6 = $4, network4 = $5, endpoint = $6,"
        " rate_kbit = $7, mtu = $8, is_relay = $10, changed_at = clock_timestamp()",
        facts.site,
        facts.kind,
        facts.profession,
        facts.addresses.v6,
        facts.addresses.v4,
        facts.endpoint,
        facts.rate_kbit,
        facts.mtu,
        policy_version,
        facts.is_relay,
    )


async def set_quarantine(conn: Conn, site: str, is_quarantined: bool) -> bool:
    """Put a site into quarantine or out of it; return whether that changed anything."""
    status = await conn.execute(
        "UPDATE healthnet_connection SET is_quarantined = $2, changed_at = clock_timestamp()"
        " WHERE site = $1 AND is_quarantined <> $2 AND NOT is_revoked",
        site,
        is_quarantined,
    )
    return str(status) == "UPDATE 1"


async def set_suspended(conn: Conn, site: str, is_suspended: bool) -> bool:
    """Take a site off the network or bring it back; return whether that changed anything."""
    status = await conn.execute(
        "UPDATE healthnet_connection SET is_suspended = $2, changed_at = clock_timestamp()"
        " WHERE site = $1 AND is_suspended <> $2 AND NOT is_revoked",
        site,
        is_suspended,
    )
    return str(status) == "UPDATE 1"


async def revoke(conn: Conn, site: str) -> bool:
    """Revoke a site with its keys and open tokens; return whether it was not revoked before."""
    status = await conn.execute(
        "UPDATE healthnet_connection SET is_revoked = true, identity = NULL, changed_at = clock_timestamp()"
        " WHERE site = $1 AND NOT is_revoked",
        site,
    )
    await conn.execute("DELETE FROM healthnet_tunnel_key WHERE site = $1", site)
    await conn.execute("DELETE FROM healthnet_token WHERE site = $1", site)
    return str(status) == "UPDATE 1"


async def touch(conn: Conn, sites: Iterable[str]) -> None:
    """Note that sites changed, for the processes that authenticate them."""
    await conn.execute("UPDATE healthnet_connection SET changed_at = clock_timestamp() WHERE site = ANY($1)", [*sites])


async def fetch_token(conn: Conn, token_id: UUID) -> Any:
    """Return a token with its site, locked until the transaction ends; None for an unknown one."""
    return await conn.fetchrow(
        "SELECT t.token_id, t.site, t.expires_at, t.used_by, c.is_revoked FROM healthnet_token t"
        " JOIN healthnet_connection c USING (site) WHERE t.token_id = $1 FOR UPDATE OF t",
        token_id,
    )


async def end_tokens(conn: Conn, site: str) -> None:
    """End the tokens of a site that were not used."""
    await conn.execute("DELETE FROM healthnet_token WHERE site = $1 AND used_by IS NULL", site)


async def enrol(conn: Conn, token_id: UUID, site: str, identity: bytes) -> None:
    """Keep the identity of an agent that enrolled; keys of an agent before are gone."""
    await conn.execute("UPDATE healthnet_token SET used_by = $2 WHERE token_id = $1", token_id, identity)
    await conn.execute("DELETE FROM healthnet_tunnel_key WHERE site = $1", site)
    await conn.execute("DELETE FROM healthnet_status WHERE site = $1", site)
    await conn.execute(
        "UPDATE healthnet_connection SET identity = $2, token_id = $3, changed_at = clock_timestamp() WHERE site = $1",
        site,
        identity,
        token_id,
    )


async def delete_key(conn: Conn, site: str, generation: int) -> None:
    """Forget a key."""
    await conn.execute("DELETE FROM healthnet_tunnel_key WHERE site = $1 AND generation = $2", site, generation)


async def fetch_rotating(conn: Conn) -> list[Any]:
    """Return sites with keys of two generations, and the last heartbeat of each."""
    found: list[Any] = await conn.fetch(
        "SELECT k.site, min(k.generation) AS old, max(k.generation) AS new, max(k.created_at) AS since,"
        " (SELECT s.content FROM healthnet_status s WHERE s.site = k.site) AS content"
        " FROM healthnet_tunnel_key k GROUP BY k.site HAVING count(*) > 1"
    )
    return found


async def keep_receipt(conn: Conn, site: str, serial: int, outcome: str, reason: str, in_force: int) -> None:
    """Keep what an agent said of a bundle; what it said of an earlier one does not replace it."""
    await conn.execute(
        "UPDATE healthnet_connection SET receipt_serial = $2, outcome = $3, reason = $4, in_force = $5,"
        " receipt_at = clock_timestamp() WHERE site = $1 AND receipt_serial <= $2",
        site,
        serial,
        outcome,
        reason,
        in_force,
    )


async def age_keys(conn: Conn, site: str, at: datetime) -> None:
    """Say that the keys of a site were made at a moment, if they are newer."""
    await conn.execute("UPDATE healthnet_tunnel_key SET created_at = least(created_at, $2) WHERE site = $1", site, at)


async def set_identity(conn: Conn, site: str, identity: bytes) -> None:
    """Set the key by which the requests of a site are signed."""
    await conn.execute(
        "UPDATE healthnet_connection SET identity = $2, changed_at = clock_timestamp() WHERE site = $1", site, identity
    )
