"""SQL of bundles, of what is pending, of heartbeats and releases of the agent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Kind, Table

BUNDLE = Table(
    "healthnet_signed_bundle",
    Kind.LOCAL,
    {
        "site": "text",
        "serial": "bigint",
        "head": "text",
        "signatures": "bytea",
        "parts": "bytea",
        "expires_at": "timestamptz",
    },
)
RELEASE = Table(
    "healthnet_release",
    Kind.LOCAL,
    {"number": "integer", "manifest": "text", "signature": "bytea", "file": "bytea", "created_at": "timestamptz"},
)
PENDING = Table("healthnet_pending", Kind.LOCAL, {"site": "text", "restores": "bigint", "is_forced": "boolean"})
COMPILATION = Table("healthnet_compilation", Kind.LOCAL, {"number": "bigint"})
STATUS = Table(
    "healthnet_status",
    Kind.LOCAL,
    {
        "site": "text",
        "received_at": "timestamptz",
        "sequence": "bigint",
        "serial": "bigint",
        "version": "text",
        "content": "bytea",
    },
)
SIGNING_KEY = Table("healthnet_signing_key", Kind.LOCAL, {"generation": "integer", "announced_at": "timestamptz"})
_LOCK = 0x68656E6574
KEPT_BUNDLES = 5
"""Bundles of a site that are kept: agents that have one of them get what changed since."""


async def lock(conn: Conn) -> bool:
    """Take the right to make bundles until the transaction ends; return False when another process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK))


async def fetch_number(conn: Conn) -> int:
    """Return how often bundles were made."""
    return int(await conn.fetchval("SELECT number FROM healthnet_compilation"))


async def advance_number(conn: Conn) -> None:
    """Count that bundles were made."""
    await conn.execute("UPDATE healthnet_compilation SET number = number + 1")


async def ask(conn: Conn, sites: Mapping[str, int], *, is_forced: bool = False) -> None:
    """Ask for new bundles of sites and of those that they have edges with; the value: the serial that comes back.

    `is_forced`: also when the content is the same.
    """
    await conn.execute(
        "INSERT INTO healthnet_pending (site, restores, is_forced)"
        " SELECT one, restored, $3 FROM unnest($1::text[], $2::bigint[]) AS given (one, restored)"
        " ON CONFLICT (site) DO UPDATE SET restores = excluded.restores,"
        " is_forced = healthnet_pending.is_forced OR excluded.is_forced",
        [*sites],
        [*sites.values()],
        is_forced,
    )


async def oldest_pending(conn: Conn) -> float | None:
    """Return for how many seconds something is pending; None when nothing is."""
    value = await conn.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - min(asked_at))::float FROM healthnet_pending"
    )
    return None if value is None else float(value)


async def take_pending(conn: Conn) -> dict[str, tuple[int, bool]]:
    """Take what is pending: the serial that comes back, and whether a bundle is made in any case, by site."""
    rows = await conn.fetch("DELETE FROM healthnet_pending RETURNING site, restores, is_forced")
    return {row["site"]: (row["restores"], row["is_forced"]) for row in rows}


async def keep_serials(conn: Conn, serials: Mapping[str, int]) -> None:
    """Offer new bundles, and forget those before the last few."""
    sites, numbers = [*serials], [*serials.values()]
    await conn.execute(
        "UPDATE healthnet_connection c SET serial = new.serial, changed_at = clock_timestamp()"
        " FROM unnest($1::text[], $2::bigint[]) AS new (site, serial) WHERE c.site = new.site",
        sites,
        numbers,
    )
    await conn.execute(
        "DELETE FROM healthnet_signed_bundle b USING unnest($1::text[], $2::bigint[]) AS new (site, serial)"
        " WHERE b.site = new.site AND b.serial <= new.serial - $3",
        sites,
        numbers,
        KEPT_BUNDLES,
    )


async def fetch_bundle(db: Database | Conn, site: str, serial: int) -> Any:
    """Return a kept bundle, or None."""
    return await db.fetchrow(
        "SELECT head, signatures, parts FROM healthnet_signed_bundle WHERE site = $1 AND serial = $2", site, serial
    )


async def fetch_heads(conn: Conn) -> dict[str, str]:
    """Return the head of the bundle that is offered to each site."""
    rows = await conn.fetch(
        "SELECT b.site, b.head FROM healthnet_signed_bundle b JOIN healthnet_connection c USING (site, serial)"
    )
    return {row["site"]: row["head"] for row in rows}


async def fetch_expiring(conn: Conn, days: int) -> list[str]:
    """Return the sites whose offered bundle expires within some days."""
    rows = await conn.fetch(
        "SELECT b.site FROM healthnet_signed_bundle b JOIN healthnet_connection c USING (site, serial)"
        " WHERE NOT c.is_revoked AND b.expires_at < clock_timestamp() + make_interval(days => $1)",
        days,
    )
    return [row["site"] for row in rows]


async def fetch_undone(conn: Conn, seconds: int) -> list[str]:
    """Return the sites that undid the bundle that is offered to them, some seconds ago, with no roll-out running."""
    rows = await conn.fetch(
        "SELECT site FROM healthnet_connection WHERE outcome = 'rolled_back' AND receipt_serial = serial"
        " AND NOT is_revoked AND receipt_at < clock_timestamp() - make_interval(secs => $1)"
        " AND NOT EXISTS (SELECT FROM healthnet_rollout WHERE state = 'running')",
        seconds,
    )
    return [row["site"] for row in rows]


async def keep_statuses(db: Database, rows: Iterable[Sequence[Any]]) -> None:
    """Keep heartbeats, one for each site; an earlier request of a site does not replace a later one."""
    columns = [*zip(*rows, strict=True)]
    await db.fetch(
        "INSERT INTO healthnet_status (site, received_at, sequence, serial, version, content)"
        " SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[])"
        " ON CONFLICT (site) DO UPDATE SET received_at = excluded.received_at, sequence = excluded.sequence,"
        " serial = excluded.serial, version = excluded.version, content = excluded.content"
        " WHERE healthnet_status.sequence < excluded.sequence",
        *columns,
    )


async def fetch_statuses(db: Database) -> list[Any]:
    """Return the last heartbeat of each site."""
    return await db.fetch(
        "SELECT site, received_at, sequence, serial, version, content FROM healthnet_status ORDER BY site"
    )


async def raise_in_force(conn: Conn, site: str, serial: int) -> bool:
    """Keep a serial that an agent has and the controller does not know: it was restored from a backup."""
    status = await conn.execute(
        "UPDATE healthnet_connection SET in_force = $2 WHERE site = $1 AND greatest(serial, in_force) < $2",
        site,
        serial,
    )
    return str(status) == "UPDATE 1"


async def newest_release(db: Database | Conn) -> int:
    """Return the number of the newest release of the agent, 0 when there is none."""
    return int(await db.fetchval("SELECT coalesce(max(number), 0) FROM healthnet_release"))


async def fetch_release(db: Database) -> Any:
    """Return the newest release of the agent, or None."""
    return await db.fetchrow(
        "SELECT number, manifest, signature, file FROM healthnet_release ORDER BY number DESC LIMIT 1"
    )


async def fetch_relays_heard(conn: Conn) -> dict[str, datetime | None]:
    """Return the relays that take part, with the time of the last heartbeat of each."""
    rows = await conn.fetch(
        "SELECT c.site, s.received_at FROM healthnet_connection c LEFT JOIN healthnet_status s USING (site)"
        " WHERE c.is_relay AND c.identity IS NOT NULL AND NOT c.is_revoked AND NOT c.is_suspended"
    )
    return {row["site"]: row["received_at"] for row in rows}


async def lock_signing_keys(conn: Conn) -> None:
    """Let nobody else change the keys until the transaction ends."""
    await conn.execute("LOCK TABLE healthnet_signing_key IN SHARE ROW EXCLUSIVE MODE")


async def fetch_signing_keys(db: Database | Conn) -> list[tuple[int, datetime]]:
    """Return generation and announcement of the keys in use, the oldest first."""
    rows = await db.fetch(
        "SELECT generation, announced_at FROM healthnet_signing_key WHERE ended_at IS NULL ORDER BY generation"
    )
    return [(row["generation"], row["announced_at"]) for row in rows]


async def ensure_signing_key(conn: Conn) -> None:
    """Begin with the first key where there is none."""
    await conn.execute(
        "INSERT INTO healthnet_signing_key (generation, announced_at) SELECT 1, clock_timestamp()"
        " WHERE NOT EXISTS (SELECT FROM healthnet_signing_key)"
    )


async def newest_signing_key(conn: Conn) -> int:
    """Return the highest generation of a key."""
    return int(await conn.fetchval("SELECT max(generation) FROM healthnet_signing_key"))


async def end_signing_key(conn: Conn, generation: int, at: datetime) -> None:
    """End a key."""
    await conn.execute("UPDATE healthnet_signing_key SET ended_at = $2 WHERE generation = $1", generation, at)


async def fetch_sites_without_key(conn: Conn, key: str) -> list[str]:
    """Return the enrolled sites that have not confirmed a bundle which says that a key is trusted."""
    rows = await conn.fetch(
        "SELECT c.site FROM healthnet_connection c LEFT JOIN healthnet_signed_bundle b"
        " ON b.site = c.site AND b.serial = c.in_force WHERE c.identity IS NOT NULL AND NOT c.is_revoked"
        " AND (b.parts IS NULL OR position($1::bytea IN b.parts) = 0) ORDER BY c.site",
        f'"{key}":'.encode(),
    )
    return [row["site"] for row in rows]
