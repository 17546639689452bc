"""SQL of suppressions."""

from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.cases.model import Suppression
from esante.services.soc.triage.triage_store import COVERS, IS_OPEN

SUPPRESSION = Table(
    "soc_suppression",
    Kind.LOCAL,
    {
        "suppression_id": "uuid",
        "tenant_id": "uuid",
        "rule": "text",
        "subject": "text",
        "reason": "text",
        "owner_id": "uuid",
        "owner": "text",
        "created_at": "timestamptz",
        "until": "timestamptz",
        "ended_at": "timestamptz",
        "ended_by": "text",
    },
)


def suppression_row(suppression: Suppression) -> Row:
    """Return the row of a new suppression."""
    return SUPPRESSION, tuple(getattr(suppression, name) for name in SUPPRESSION.columns)


async def fetch_suppression(conn: Connection, suppression_id: UUID) -> Suppression | None:
    """Return a suppression, or None; others wait for this transaction."""
    row = await conn.fetchrow(
        f"SELECT {', '.join(SUPPRESSION.columns)} FROM soc_suppression"  # noqa: S608 - names are declared in code
        " WHERE suppression_id = $1 FOR UPDATE",
        suppression_id,
    )
    return Suppression(**row) if row else None


async def end_suppression(conn: Connection, suppression_id: UUID, at: datetime, by: str) -> None:
    """Keep that a suppression was ended."""
    await conn.execute(
        "UPDATE soc_suppression SET ended_at = $2, ended_by = $3 WHERE suppression_id = $1", suppression_id, at, by
    )


async def fetch_suppressions(
    db: Database, text: str, before: UUID | None, limit: int
) -> list[tuple[Suppression, int]]:
    """Return suppressions, the newest first, each with the number of alerts that it keeps out of the queue."""
    columns = ", ".join(f"s.{name}" for name in SUPPRESSION.columns)
    rows = await db.fetch(
        f"SELECT {columns}, (SELECT count(*) FROM soc_alert a WHERE {IS_OPEN} AND{COVERS}) AS found"  # noqa: S608
        " FROM soc_suppression s WHERE ($1 = '' OR position(lower($1) IN lower(s.rule || ' ' || s.subject || ' '"
        " || s.reason || ' ' || s.owner)) > 0) AND ($2::uuid IS NULL OR s.suppression_id < $2)"
        " ORDER BY s.suppression_id DESC LIMIT $3",
        text,
        before,
        limit,
    )
    found = []
    for row in rows:
        values = dict(row)
        count = values.pop("found")
        found.append((Suppression(**values), count))
    return found


async def fetch_covered(conn: Connection, suppression_id: UUID, limit: int) -> list[UUID]:
    """Return alerts that a suppression keeps out of the queue, the oldest first."""
    rows = await conn.fetch(
        f"SELECT a.alert_id FROM soc_suppression s JOIN soc_alert a ON {IS_OPEN} AND{COVERS}"  # noqa: S608
        " WHERE s.suppression_id = $1 ORDER BY a.alert_id LIMIT $2",
        suppression_id,
        limit,
    )
    return [row["alert_id"] for row in rows]
