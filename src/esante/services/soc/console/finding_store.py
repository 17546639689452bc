"""SQL of the alerts that an event raised."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import Database
from esante.services.soc.console.model import EventFinding


async def fetch_by_keys(db: Database, tenant_id: UUID, keys: Sequence[str]) -> list[EventFinding]:
    """Return the alerts of a member with these keys, the highest first."""
    rows = await db.fetch(
        "SELECT alert_id, rule, title, level FROM soc_alert WHERE tenant_id = $1 AND key = ANY($2)"
        " ORDER BY level DESC, alert_id",
        tenant_id,
        [*keys],
    )
    return [EventFinding(**row) for row in rows]
