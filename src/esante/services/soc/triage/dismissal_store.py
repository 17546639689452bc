"""SQL of dismissals."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection


async def dismiss(
    conn: Connection, alerts: Sequence[UUID], at: datetime, by: str, outcome: str, reason: str
) -> list[tuple[UUID, UUID]]:
    """Dismiss those of some alerts that have no case and are not dismissed; return their members and keys."""
    rows = await conn.fetch(
        "UPDATE soc_alert SET dismissed_at = $2, dismissed_by = $3, dismissed_as = $4, dismissal = $5"
        " WHERE alert_id = ANY($1) AND case_id IS NULL AND dismissed_at IS NULL RETURNING tenant_id, alert_id",
        [*alerts],
        at,
        by,
        outcome,
        reason,
    )
    return [(row["tenant_id"], row["alert_id"]) for row in rows]


async def restore(conn: Connection, alert_id: UUID) -> UUID | None:
    """Take the dismissal of an alert back; return its member, None where it is not dismissed."""
    row = await conn.fetchrow(
        "UPDATE soc_alert SET dismissed_at = NULL, dismissed_by = '', dismissed_as = '', dismissal = ''"
        " WHERE alert_id = $1 AND dismissed_at IS NOT NULL RETURNING tenant_id",
        alert_id,
    )
    return row["tenant_id"] if row else None


async def count_known(conn: Connection, alerts: Sequence[UUID]) -> int:
    """Return how many of some alerts there are."""
    return int(await conn.fetchval("SELECT count(*) FROM soc_alert WHERE alert_id = ANY($1)", [*alerts]))
