"""The SQL of grants that the ceiling of their context cuts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database
from esante.identity.access.consent.store import grant_of_row
from esante.identity.access.model import Grant


async def fetch_active_after(db: Database, kinds: Sequence[str], after: tuple[UUID, UUID], limit: int) -> list[Grant]:
    """Return active grants of some kinds after a person and grant, by person and grant."""
    rows = await db.fetch(
        "SELECT * FROM access_grant WHERE revoked_at IS NULL AND (until IS NULL OR until > now())"
        " AND kind = ANY($1) AND (person_id, grant_id) > ($2, $3) ORDER BY person_id, grant_id LIMIT $4",
        list(kinds),
        *after,
        limit,
    )
    return [grant_of_row(row) for row in rows]


async def cut_grant(conn: Connection, grant: Grant, until: datetime, at: datetime) -> bool:
    """Write the end of a grant that still is as it was read, and when it was cut; return whether it was."""
    cut = await conn.fetchval(
        "UPDATE access_grant SET until = $3, cut_at = $4 WHERE person_id = $1 AND grant_id = $2 AND revoked_at IS NULL"
        " AND until IS NOT DISTINCT FROM $5 RETURNING true",
        grant.person_id,
        grant.id,
        until,
        at,
        grant.until,
    )
    return bool(cut)


async def count_cut(db: Database, holder_id: UUID, since: datetime, now: datetime) -> int:
    """Return how many grants of a holder were cut, and ended, since a moment."""
    count: int = await db.fetchval(
        "SELECT count(*) FROM access_grant WHERE holder_id = $1 AND revoked_at IS NULL AND cut_at >= $2"
        " AND until <= $3",
        holder_id,
        since,
        now,
    )
    return count
