"""SQL of silences and of the hours of sources."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table
from esante.services.soc.silence.rules import Hours, WatchedSource
from esante.services.soc.tenants.model import Scope

HOURS = Table(
    "soc_source_hours",
    Kind.LOCAL,
    {"tenant_id": "uuid", "source_id": "uuid", "begins": "integer", "ends": "integer"},
)
SILENCE = Table(
    "soc_silence",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "source_id": "uuid",
        "since": "timestamptz",
        "alert_id": "uuid",
        "noticed_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)


async def fetch_watched(conn: Connection) -> list[WatchedSource]:
    """Return the sources that are expected to send and are not known to be silent, of active members."""
    rows = await conn.fetch(
        "SELECT s.tenant_id, s.source_id, s.name, s.expected_every, coalesce(s.last_event_at, s.added_at) AS last_at,"
        " (SELECT array_agg(ARRAY[h.begins, h.ends] ORDER BY h.begins) FROM soc_source_hours h"
        " WHERE h.tenant_id = s.tenant_id AND h.source_id = s.source_id) AS hours FROM soc_source s"
        " JOIN soc_tenant t ON t.tenant_id = s.tenant_id AND t.is_active"
        " WHERE s.expected_every IS NOT NULL AND s.ended_at IS NULL AND NOT EXISTS (SELECT FROM soc_silence o"
        " WHERE o.tenant_id = s.tenant_id AND o.source_id = s.source_id AND o.ended_at IS NULL)"
    )
    return [
        WatchedSource(
            tenant_id=row["tenant_id"],
            source_id=row["source_id"],
            name=row["name"],
            every=row["expected_every"],
            last_at=row["last_at"],
            hours=[Hours(*pair) for pair in row["hours"] or ()],
        )
        for row in rows
    ]


async def try_lock(conn: Connection) -> bool:
    """Return whether this transaction is the only one that looks for silences."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('soc_silence', 0))"))


async def end_silences(conn: Connection, now: datetime) -> list[tuple[UUID, UUID, UUID | None]]:
    """End the silences whose source sends again, or is not watched any more; return member, source and alert."""
    rows = await conn.fetch(
        "UPDATE soc_silence o SET ended_at = $1 FROM soc_source s WHERE o.tenant_id = s.tenant_id"
        " AND o.source_id = s.source_id AND o.ended_at IS NULL"
        " AND (s.last_event_at > o.since OR s.ended_at IS NOT NULL OR s.expected_every IS NULL)"
        " RETURNING o.tenant_id, o.source_id, o.alert_id",
        now,
    )
    return [(row["tenant_id"], row["source_id"], row["alert_id"]) for row in rows]


async def has_source(conn: Connection, tenant_id: UUID, source_id: UUID) -> bool:
    """Return whether a member has a source."""
    return bool(
        await conn.fetchval("SELECT 1 FROM soc_source WHERE tenant_id = $1 AND source_id = $2", tenant_id, source_id)
    )


async def fetch_kinds(db: Database, tenant_id: UUID) -> set[str]:
    """Return the kinds of the sources of which a member sends events."""
    rows = await db.fetch(
        "SELECT DISTINCT kind FROM soc_source WHERE tenant_id = $1 AND ended_at IS NULL AND last_event_at IS NOT NULL",
        tenant_id,
    )
    return {row["kind"] for row in rows}


async def replace_hours(conn: Connection, tenant_id: UUID, source_id: UUID, hours: Sequence[Hours]) -> None:
    """Keep when a source is expected to send."""
    await conn.execute("DELETE FROM soc_source_hours WHERE tenant_id = $1 AND source_id = $2", tenant_id, source_id)
    await conn.executemany(
        "INSERT INTO soc_source_hours VALUES ($1, $2, $3, $4)", [(tenant_id, source_id, *one) for one in hours]
    )


async def fetch_hours(db: Database, tenant_id: UUID, source_id: UUID) -> list[Hours]:
    """Return when a source is expected to send."""
    rows = await db.fetch(
        "SELECT begins, ends FROM soc_source_hours WHERE tenant_id = $1 AND source_id = $2 ORDER BY begins",
        tenant_id,
        source_id,
    )
    return [Hours(row["begins"], row["ends"]) for row in rows]


async def fetch_silences(db: Database, scope: Scope, text: str, skip: int, limit: int) -> list[Any]:
    """Return the silences of a scope, those that go on first, then the newest; `text`: a part of source or member."""
    return await db.fetch(
        "SELECT o.tenant_id, t.name AS member, s.name AS source, o.source_id, o.since, o.noticed_at, o.ended_at,"
        " o.alert_id FROM soc_silence o JOIN soc_source s USING (tenant_id, source_id)"
        " JOIN soc_tenant t USING (tenant_id) WHERE ($1::uuid IS NULL OR o.tenant_id = $1)"
        " AND ($2 = '' OR position(lower($2) IN lower(s.name || ' ' || t.name)) > 0)"
        " ORDER BY o.ended_at DESC NULLS FIRST, o.since DESC, o.source_id OFFSET $3 LIMIT $4",
        scope.tenant_id,
        text,
        skip,
        limit,
    )
