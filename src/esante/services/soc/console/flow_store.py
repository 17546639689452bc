"""SQL of what comes in: events of the last seconds, counters, and their sums by quarter of an hour."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from esante.core.storage import NIL, Connection, Database, Kind, Table, uuid7_floor
from esante.services.soc.tenants.model import Scope

COUNT = Table("soc_event_count", Kind.LOCAL, {"tenant_id": "uuid", "events": "bigint", "faults": "bigint"})
RATE = Table(
    "soc_event_rate",
    Kind.LOCAL,
    {"tenant_id": "uuid", "quarter": "timestamptz", "events": "bigint", "faults": "bigint"},
)
_LOCK = 0x50C_F10
_SAMPLE = """
    WITH counted AS (
        SELECT tenant_id, sum(events)::bigint AS events, sum(faults)::bigint AS faults
        FROM soc_source GROUP BY tenant_id
    ), new AS (
        SELECT tenant_id, c.events - coalesce(b.events, 0) AS events, c.faults - coalesce(b.faults, 0) AS faults
        FROM counted c LEFT JOIN soc_event_count b USING (tenant_id) WHERE c.events > coalesce(b.events, 0)
    ), kept AS (
        INSERT INTO soc_event_count (tenant_id, events, faults)
        SELECT tenant_id, events, faults FROM counted WHERE tenant_id IN (SELECT tenant_id FROM new)
        ON CONFLICT (tenant_id) DO UPDATE SET events = EXCLUDED.events, faults = EXCLUDED.faults
    )
    INSERT INTO soc_event_rate AS r (tenant_id, quarter, events, faults)
    SELECT tenant_id, $1::timestamptz, events, faults FROM new
    UNION ALL SELECT $2::uuid, $1::timestamptz, sum(events), sum(faults) FROM new HAVING count(*) > 0
    ON CONFLICT (tenant_id, quarter) DO UPDATE
        SET events = r.events + EXCLUDED.events, faults = r.faults + EXCLUDED.faults
"""


async def lock(conn: Connection) -> bool:
    """Return whether this process may read the counters now: no other does until the transaction ends."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK))


async def sample(conn: Connection, quarter: datetime) -> None:
    """Add what came since the counters were last read to a quarter of an hour."""
    await conn.execute(_SAMPLE, quarter, NIL)


async def delete_before(conn: Connection, before: datetime) -> None:
    """Delete what is older than plots show."""
    await conn.execute("DELETE FROM soc_event_rate WHERE quarter < $1", before)


async def count_since(db: Database, scope: Scope, since: datetime, most: int) -> int:
    """Return how many events of a scope were received since a moment, at most `most`."""
    values: list[Any] = [uuid7_floor(since)]
    where = "event_id >= $1"
    if scope.tenant_id is not None:
        values.append(scope.tenant_id)
        where += " AND tenant_id = $2"
    sql = f"SELECT count(*) FROM (SELECT FROM soc_event WHERE {where} LIMIT {most:d}) found"  # noqa: S608
    row = await db.fetchrow(sql, *values)
    return int(row["count"]) if row else 0


async def fetch_totals(db: Database, scope: Scope) -> tuple[int, int, datetime | None]:
    """Return how many events came of a scope so far, how many could not be read, and when the last one came."""
    row = await db.fetchrow(
        "SELECT coalesce(sum(events), 0)::bigint AS events, coalesce(sum(faults), 0)::bigint AS faults,"
        " max(last_event_at) AS last_event_at FROM soc_source WHERE $1::uuid IS NULL OR tenant_id = $1",
        scope.tenant_id,
    )
    return (row["events"], row["faults"], row["last_event_at"]) if row else (0, 0, None)


async def fetch_rates(db: Database, scope: Scope, since: datetime) -> Sequence[tuple[datetime, int, int]]:
    """Return the quarters of an hour of a scope in which something came, with how much, the oldest first."""
    rows = await db.fetch(
        "SELECT quarter, events, faults FROM soc_event_rate WHERE tenant_id = $1 AND quarter >= $2 ORDER BY quarter",
        scope.tenant_id or NIL,
        since,
    )
    return [(row["quarter"], row["events"], row["faults"]) for row in rows]
