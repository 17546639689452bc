"""SQL of the counts of the flow."""

from collections.abc import Mapping
from datetime import date, datetime

from esante.core.storage import Connection, Database, Kind, Table
from esante.services.billing.flow.model import Counted, FlowKind

FLOW = Table(
    "billing_flow",
    Kind.LOCAL,
    {"minute": "timestamptz", "kind": "text", "detail": "text", "number": "integer"},
)


async def add(conn: Connection, counts: Mapping[Counted, int]) -> None:
    """Add to the counts."""
    await conn.executemany(
        "INSERT INTO billing_flow (minute, kind, detail, number) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (kind, minute, detail) DO UPDATE SET number = billing_flow.number + excluded.number",
        [(one.minute, one.kind.value, one.detail, number) for one, number in sorted(counts.items())],
    )


async def fetch_minutes(db: Database, kind: FlowKind, since: datetime) -> list[tuple[datetime, str, int]]:
    """Return the counts of a kind by minute and detail since a moment."""
    rows = await db.fetch(
        "SELECT minute, detail, number FROM billing_flow WHERE kind = $1 AND minute >= $2", kind.value, since
    )
    return [(row["minute"], row["detail"], row["number"]) for row in rows]


async def fetch_days(db: Database, kind: FlowKind, since: datetime, zone: str) -> list[tuple[date, str, int]]:
    """Return the counts of a kind by day of a time zone and detail since a moment."""
    rows = await db.fetch(
        "SELECT (minute AT TIME ZONE $3)::date AS day, detail, sum(number)::bigint AS number FROM billing_flow"
        " WHERE kind = $1 AND minute >= $2 GROUP BY 1, 2",
        kind.value,
        since,
        zone,
    )
    return [(row["day"], row["detail"], row["number"]) for row in rows]


async def fetch_sums(db: Database, kind: FlowKind, since: datetime) -> dict[str, int]:
    """Return the sums of a kind by detail since a moment."""
    rows = await db.fetch(
        "SELECT detail, sum(number)::bigint AS number FROM billing_flow WHERE kind = $1 AND minute >= $2 GROUP BY 1",
        kind.value,
        since,
    )
    return {row["detail"]: row["number"] for row in rows}


async def delete_before(db: Database, moment: datetime) -> None:
    """Delete the counts of before a moment."""
    await db.fetch("DELETE FROM billing_flow WHERE minute < $1", moment)
