"""SQL of addresses."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.healthnet.addresses.model import SiteAddresses

ADDRESS = Table(
    "healthnet_address",
    Kind.LOCAL,
    {"network": "cidr", "site_id": "uuid", "assigned_at": "timestamptz", "released_at": "timestamptz"},
)
_LOCK = 0x686E_6164
"""The key of the lock under which networks are chosen."""


async def lock(conn: Connection) -> None:
    """Wait until nobody else chooses networks, and keep others from it until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def delete_released(conn: Connection, before: datetime) -> None:
    """Delete the networks that were given up before a time: others may get them."""
    await conn.execute("DELETE FROM healthnet_address WHERE released_at < $1", before)


async def fetch_taken(conn: Connection) -> set[IPv6Network | IPv4Network]:
    """Return all networks that nobody may get."""
    return {row["network"] for row in await conn.fetch("SELECT network FROM healthnet_address")}


def address_rows(site_id: UUID, networks: Iterable[IPv6Network | IPv4Network], at: datetime) -> list[Row]:
    """Return the rows of networks that a site gets."""
    return [(ADDRESS, (network, site_id, at, None)) for network in networks]


async def release(conn: Connection, site_id: UUID, at: datetime) -> list[IPv6Network | IPv4Network]:
    """Mark the networks of a site as given up; return them."""
    rows = await conn.fetch(
        "UPDATE healthnet_address SET released_at = $2 WHERE site_id = $1 AND released_at IS NULL RETURNING network",
        site_id,
        at,
    )
    return [row["network"] for row in rows]


async def forget(conn: Connection, networks: Sequence[IPv6Network | IPv4Network]) -> None:
    """Delete networks that were given up, for the same site to get them again."""
    await conn.execute(
        "DELETE FROM healthnet_address WHERE network = ANY($1) AND released_at IS NOT NULL", [*networks]
    )


async def fetch_all(db: Database | Connection) -> dict[UUID, SiteAddresses]:
    """Return the addresses of all sites that have some."""
    rows = await db.fetch("SELECT site_id, network FROM healthnet_address WHERE released_at IS NULL")
    found: defaultdict[UUID, dict[int, IPv6Network | IPv4Network]] = defaultdict(dict)
    for row in rows:
        found[row["site_id"]][row["network"].version] = row["network"]
    return {site_id: SiteAddresses(both[6], both.get(4)) for site_id, both in found.items() if 6 in both}  # type: ignore[arg-type]
