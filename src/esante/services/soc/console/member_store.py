"""SQL of what the lists of members show of their sources."""

from collections.abc import Iterable
from uuid import UUID

from esante.core.storage import Database
from esante.services.soc.console.model import SourceSums


async def fetch_sums(db: Database, tenants: Iterable[UUID]) -> dict[UUID, SourceSums]:
    """Return the sums over the sources of members; those without a source are missing."""
    rows = await db.fetch(
        "SELECT tenant_id, count(*) FILTER (WHERE ended_at IS NULL) AS sources, sum(events)::bigint AS events,"
        " sum(faults)::bigint AS faults, max(last_event_at) AS last_event_at FROM soc_source"
        " WHERE tenant_id = ANY($1) GROUP BY tenant_id",
        [*tenants],
    )
    return {row["tenant_id"]: SourceSums(**{name: row[name] for name in SourceSums.__slots__}) for row in rows}


async def fetch_names(db: Database, tenants: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of members."""
    rows = await db.fetch("SELECT tenant_id, name FROM soc_tenant WHERE tenant_id = ANY($1)", [*tenants])
    return {row["tenant_id"]: row["name"] for row in rows}
