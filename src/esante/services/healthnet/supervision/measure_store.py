"""SQL of measures, of heartbeats that are new, and of the times in which the network is watched."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Kind, Table
from esante.services.healthnet.supervision.measures import HOUR
from esante.services.healthnet.supervision.model import Measure, Span

MEASURE = Table(
    "healthnet_measure",
    Kind.LOCAL,
    {
        "site": "text",
        "span": "text",
        "other": "text",
        "starts": "timestamptz",
        "reports": "integer",
        "latency_sum": "double precision",
        "latency_count": "integer",
        "latency_max": "real",
        "loss_sum": "double precision",
        "loss_count": "integer",
        "received": "bigint",
        "sent": "bigint",
    },
)
WATCH = Table("healthnet_watch", Kind.LOCAL, {"watch_id": "uuid", "began_at": "timestamptz", "until": "timestamptz"})
_LOCK = 0x686E_7761
_ADD = f"""{MEASURE.insert_sql()} ON CONFLICT (site, span, other, starts) DO UPDATE SET
    reports = healthnet_measure.reports + excluded.reports,
    latency_sum = healthnet_measure.latency_sum + excluded.latency_sum,
    latency_count = healthnet_measure.latency_count + excluded.latency_count,
    latency_max = greatest(healthnet_measure.latency_max, excluded.latency_max),
    loss_sum = healthnet_measure.loss_sum + excluded.loss_sum,
    loss_count = healthnet_measure.loss_count + excluded.loss_count,
    received = healthnet_measure.received + excluded.received, sent = healthnet_measure.sent + excluded.sent"""
_BATCH = 10_000


async def lock(conn: Conn) -> bool:
    """Take the right to look at the network until the transaction ends; False when another process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK))


async def newest_watch(conn: Conn) -> Any:
    """Return the newest time in which the network was watched, or None."""
    return await conn.fetchrow("SELECT watch_id, began_at, until FROM healthnet_watch ORDER BY until DESC LIMIT 1")


async def extend_watch(conn: Conn, watch_id: UUID, until: datetime) -> None:
    """Say that the network was watched until a moment."""
    await conn.execute("UPDATE healthnet_watch SET until = $2 WHERE watch_id = $1", watch_id, until)


async def fetch_watched(db: Database | Conn, begin: datetime, end: datetime) -> list[Span]:
    """Return the times between two moments in which the network was watched, the oldest first."""
    rows = await db.fetch(
        "SELECT greatest(began_at, $1) AS begins_at, least(until, $2) AS ends_at FROM healthnet_watch"
        " WHERE until > $1 AND began_at < $2 ORDER BY began_at",
        begin,
        end,
    )
    return [Span(row["begins_at"], row["ends_at"]) for row in rows if row["begins_at"] < row["ends_at"]]


async def fetch_supervised(db: Database | Conn) -> dict[str, datetime | None]:
    """Return the sites whose agents should be heard, with their last heartbeat."""
    rows = await db.fetch(
        "SELECT c.site, s.received_at FROM healthnet_connection c LEFT JOIN healthnet_status s USING (site)"
        " WHERE c.identity IS NOT NULL AND NOT c.is_revoked AND NOT c.is_suspended"
    )
    return {row["site"]: row["received_at"] for row in rows}


async def fetch_heartbeats(conn: Conn, since: datetime) -> list[Any]:
    """Return the heartbeats that came since a moment, the oldest first."""
    found: list[Any] = await conn.fetch(
        "SELECT site, received_at, version, content FROM healthnet_status WHERE received_at > $1 ORDER BY received_at",
        since,
    )
    return found


async def fetch_heartbeat(db: Database, site: str) -> Any:
    """Return the last heartbeat of a site, or None."""
    return await db.fetchrow("SELECT received_at, version, content FROM healthnet_status WHERE site = $1", site)


async def fetch_releases(conn: Conn) -> dict[int, datetime]:
    """Return the releases of the agent with the moment of each."""
    rows = await conn.fetch("SELECT number, created_at FROM healthnet_release")
    return {row["number"]: row["created_at"] for row in rows}


async def add_measures(conn: Conn, rows: Sequence[Sequence[Any]]) -> None:
    """Add sums to those that are kept."""
    for begin in range(0, len(rows), _BATCH):
        await conn.execute(_ADD, *zip(*rows[begin : begin + _BATCH], strict=True))


async def fetch_traffic(conn: Conn, hour: datetime) -> dict[str, int]:
    """Return the bytes of each site in an hour."""
    rows = await conn.fetch(
        "SELECT site, received + sent AS bytes FROM healthnet_measure WHERE span = $1 AND starts = $2 AND other = ''",
        HOUR,
        hour,
    )
    return {row["site"]: row["bytes"] for row in rows}


async def fetch_usual(conn: Conn, hours: Iterable[datetime], needs: int) -> dict[str, float]:
    """Return the mean bytes a second of each site over some hours, where there are measures of enough of them."""
    rows = await conn.fetch(
        "SELECT site, avg(received + sent)::float / 3600 AS usual FROM healthnet_measure"
        " WHERE span = $1 AND starts = ANY($2) AND other = '' GROUP BY site HAVING count(*) >= $3",
        HOUR,
        [*hours],
        needs,
    )
    return {row["site"]: row["usual"] for row in rows}


async def fetch_measures(db: Database, site: str, other: str, span: str, since: datetime) -> list[Measure]:
    """Return the measures of a site or a path since a moment, the oldest first."""
    rows = await db.fetch(
        "SELECT * FROM healthnet_measure WHERE site = $1 AND span = $2 AND other = $3 AND starts >= $4"
        " ORDER BY starts",
        site,
        span,
        other,
        since,
    )
    return [_measure(row) for row in rows]


async def fetch_totals(db: Database, span: str, since: datetime) -> list[Measure]:
    """Return the measures of all sites together since a moment, the oldest first."""
    rows = await db.fetch(
        "SELECT starts, sum(reports) AS reports, sum(latency_sum) AS latency_sum, sum(latency_count) AS latency_count,"
        " max(latency_max) AS latency_max, sum(loss_sum) AS loss_sum, sum(loss_count) AS loss_count,"
        " sum(received)::bigint AS received, sum(sent)::bigint AS sent FROM healthnet_measure"
        " WHERE span = $1 AND starts >= $2 AND other = '' GROUP BY starts ORDER BY starts",
        span,
        since,
    )
    return [_measure(row) for row in rows]


async def fetch_paths(db: Database, site: str, span: str, since: datetime, limit: int, after: str) -> list[Any]:
    """Return what a site measured on each of its paths since a moment, by the other site."""
    return await db.fetch(
        "SELECT other, sum(latency_sum) / nullif(sum(latency_count), 0) AS latency,"
        " sum(loss_sum) / nullif(sum(loss_count), 0) AS loss, sum(received)::bigint AS received,"
        " sum(sent)::bigint AS sent FROM healthnet_measure WHERE site = $1 AND span = $2 AND other > $5"
        " AND starts >= $3 GROUP BY other ORDER BY other LIMIT $4",
        site,
        span,
        since,
        limit,
        after,
    )


async def fetch_flows(conn: Conn, hour: datetime) -> list[Any]:
    """Return the bytes of each path in an hour, as the sites counted them."""
    found: list[Any] = await conn.fetch(
        "SELECT site, other, received, sent FROM healthnet_measure WHERE span = $1 AND starts = $2 AND other <> ''"
        " AND received + sent > 0 ORDER BY site, other",
        HOUR,
        hour,
    )
    return found


async def delete_before(conn: Conn, span: str, before: datetime, *, of_paths: bool) -> None:
    """Delete measures of hours or days that were kept for long enough."""
    await conn.execute(
        "DELETE FROM healthnet_measure WHERE span = $1 AND starts < $2 AND (other <> '') = $3", span, before, of_paths
    )


async def delete_watches(conn: Conn, before: datetime) -> None:
    """Delete what is known of the watch before a moment."""
    await conn.execute("DELETE FROM healthnet_watch WHERE until < $1", before)


def _measure(row: Any) -> Measure:
    return Measure(
        starts=row["starts"],
        reports=row["reports"],
        latency=row["latency_sum"] / row["latency_count"] if row["latency_count"] else None,
        latency_max=row["latency_max"] if row["latency_count"] else None,
        loss=row["loss_sum"] / row["loss_count"] if row["loss_count"] else None,
        received=row["received"],
        sent=row["sent"],
    )
