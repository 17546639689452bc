"""SQL of requests for containment."""

from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.cases.model import Containment

CONTAINMENT = Table(
    "soc_containment",
    Kind.LOCAL,
    {
        "containment_id": "uuid",
        "case_id": "uuid",
        "kind": "text",
        "holder_id": "uuid",
        "holder": "text",
        "reason": "text",
        "state": "text",
        "requested_by_id": "uuid",
        "requested_by": "text",
        "requested_at": "timestamptz",
        "decided_by": "text",
        "decided_at": "timestamptz",
    },
)


def containment_row(containment: Containment) -> Row:
    """Return the row of a request for containment."""
    return CONTAINMENT, tuple(getattr(containment, name) for name in CONTAINMENT.columns)


async def fetch_containments(db: Database, case_id: UUID) -> list[Containment]:
    """Return the requests for containment of a case, the newest first."""
    rows = await db.fetch(f"{_select(CONTAINMENT)} WHERE case_id = $1 ORDER BY containment_id DESC", case_id)
    return [Containment(**row) for row in rows]


async def fetch_containment(conn: Connection, containment_id: UUID) -> Containment | None:
    """Return a request for containment, or None; others wait for this transaction."""
    row = await conn.fetchrow(f"{_select(CONTAINMENT)} WHERE containment_id = $1 FOR UPDATE", containment_id)
    return Containment(**row) if row else None


async def decide_containment(conn: Connection, containment_id: UUID, state: str, by: str, at: datetime) -> None:
    """Keep the decision on a request for containment."""
    await conn.execute(
        "UPDATE soc_containment SET state = $2, decided_by = $3, decided_at = $4 WHERE containment_id = $1",
        containment_id,
        state,
        by,
        at,
    )


async def count_requested(db: Database) -> int:
    """Return how many suspensions wait for a second person."""
    row = await db.fetchrow(
        "SELECT count(*) AS found FROM soc_containment WHERE kind = 'suspension' AND state = 'requested'"
    )
    return int(row["found"]) if row else 0


def _select(table: Table) -> str:
    return f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - names are declared in code
