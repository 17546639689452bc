"""SQL of what is given to the SOC: how far it got, anomalies that are new, addresses of sites."""

from datetime import datetime

from esante.core.storage import Connection as Conn
from esante.core.storage import Kind, Table
from esante.services.healthnet.supervision.model import Anomaly

CURSOR = Table("healthnet_soc_cursor", Kind.LOCAL, {"kind": "text", "until": "timestamptz"})
_LOCK = 0x686E_736F


async def lock(conn: Conn) -> bool:
    """Take the right to deliver until the transaction ends; False when another process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK))


async def fetch_until(conn: Conn, kind: str) -> datetime | None:
    """Return until when something was delivered."""
    found: datetime | None = await conn.fetchval("SELECT until FROM healthnet_soc_cursor WHERE kind = $1", kind)
    return found


async def keep_until(conn: Conn, kind: str, until: datetime) -> None:
    """Keep until when something was delivered."""
    await conn.execute(
        "INSERT INTO healthnet_soc_cursor (kind, until) VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET until = $2",
        kind,
        until,
    )


async def fetch_changed(conn: Conn, since: datetime, until: datetime) -> list[tuple[Anomaly, bool]]:
    """Return the anomalies that were raised (True) or ended (False) after a moment, until another one."""
    rows = await conn.fetch(
        "SELECT * FROM healthnet_anomaly WHERE (raised_at > $1 AND raised_at <= $2)"
        " OR (ended_at > $1 AND ended_at <= $2) ORDER BY anomaly_id",
        since,
        until,
    )
    found: list[tuple[Anomaly, bool]] = []
    for row in rows:
        anomaly = Anomaly(**row)
        if since < anomaly.raised_at <= until:
            found.append((anomaly, True))
        if anomaly.ended_at and since < anomaly.ended_at <= until:
            found.append((anomaly, False))
    return found


async def fetch_addresses(conn: Conn) -> dict[str, str]:
    """Return the first address of the IPv6 network of each site, which is that of its gateway."""
    rows = await conn.fetch("SELECT site, host(network6) AS address FROM healthnet_connection")
    return {row["site"]: f"{row['address']}1" for row in rows}
