"""SQL of quarantines that somebody else asks for."""

from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Kind, Table
from esante.services.healthnet.supervision.model import QuarantineRequest

REQUEST = Table(
    "healthnet_quarantine_request",
    Kind.LOCAL,
    {
        "request_id": "uuid",
        "site": "text",
        "reason": "text",
        "asked_by": "text",
        "asked_by_id": "uuid",
        "asked_at": "timestamptz",
        "state": "text",
        "decided_by": "text",
        "decided_at": "timestamptz",
    },
    once=True,
)
_REQUEST = f"SELECT {', '.join(REQUEST.columns)} FROM healthnet_quarantine_request"  # noqa: S608 - declared in code


async def fetch_waiting(db: Database, site: str | None, limit: int) -> list[QuarantineRequest]:
    """Return requests that wait, of a site (None: of all), the oldest first."""
    rows = await db.fetch(
        f"{_REQUEST} WHERE state = 'waiting' AND ($1::text IS NULL OR site = $1) ORDER BY asked_at, site LIMIT $2",
        site,
        limit,
    )
    return [QuarantineRequest(**row) for row in rows]


async def count_waiting(db: Database) -> int:
    """Return how many requests wait."""
    return int(await db.fetchval("SELECT count(*) FROM healthnet_quarantine_request WHERE state = 'waiting'"))


async def decide(conn: Conn, request_id: UUID, site: str, state: str, by: str, at: datetime) -> bool:
    """Keep the decision on a request that waits; return whether there was one."""
    status = await conn.execute(
        "UPDATE healthnet_quarantine_request SET state = $3, decided_by = $4, decided_at = $5"
        " WHERE request_id = $1 AND site = $2 AND state = 'waiting'",
        request_id,
        site,
        state,
        by,
        at,
    )
    return str(status) == "UPDATE 1"


async def decide_all(conn: Conn, site: str, state: str, by: str, at: datetime) -> None:
    """Keep the decision on all requests of a site that wait."""
    await conn.execute(
        "UPDATE healthnet_quarantine_request SET state = $2, decided_by = $3, decided_at = $4"
        " WHERE site = $1 AND state = 'waiting'",
        site,
        state,
        by,
        at,
    )
