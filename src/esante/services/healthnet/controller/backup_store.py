"""SQL of backups: rows of the controller's tables as JSON."""

from collections.abc import Sequence

from esante.core.storage import Connection as Conn

TABLES = (
    "healthnet_policy",
    "healthnet_connection",
    "healthnet_tunnel_key",
    "healthnet_token",
    "healthnet_pending",
    "healthnet_compilation",
    "healthnet_signed_bundle",
    "healthnet_rollout",
    "healthnet_rollout_site",
    "healthnet_release",
    "healthnet_signing_key",
)
"""In the order in which they refer to each other. Heartbeats come again by themselves."""


async def fetch_rows(conn: Conn, table: str) -> list[str]:
    """Return the rows of one of `TABLES`."""
    rows = await conn.fetch(f"SELECT to_jsonb(t)::text AS row FROM {table} t")  # noqa: S608 - one of TABLES
    return [row["row"] for row in rows]


async def insert_rows(conn: Conn, table: str, rows: Sequence[str]) -> None:
    """Insert rows into one of `TABLES`."""
    await conn.execute(
        f"INSERT INTO {table} SELECT r.* FROM unnest($1::text[]) AS given (row),"  # noqa: S608 - one of TABLES
        f" jsonb_populate_record(NULL::{table}, given.row::jsonb) AS r",
        [*rows],
    )


async def clear(conn: Conn) -> None:
    """Remove all rows of the controller."""
    await conn.execute(f"TRUNCATE {', '.join(TABLES)}, healthnet_status")
