"""SQL of sources, their keys, and what members may still send."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.sources.model import Source, SourceKey

SOURCE = Table(
    "soc_source",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "source_id": "uuid",
        "name": "text",
        "kind": "text",
        "expected_every": "interval",
        "added_at": "timestamptz",
    },
)
KEY = Table(
    "soc_key",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "source_id": "uuid",
        "key_id": "uuid",
        "hash": "bytea",
        "certificate": "bytea",
        "added_at": "timestamptz",
        "expires_at": "timestamptz",
        "revoked_at": "timestamptz",
    },
)
ALLOWANCE = Table(
    "soc_allowance",
    Kind.LOCAL,
    {"tenant_id": "uuid", "tokens": "double precision", "granted": "boolean", "at": "timestamptz"},
)
_SOURCE = (
    "SELECT tenant_id, source_id, name, kind, expected_every, last_event_at, events, faults, added_at, ended_at"
    " FROM soc_source"
)
_KEY = (
    "SELECT k.tenant_id, k.source_id, k.key_id, k.hash, k.certificate, k.added_at, k.expires_at, k.revoked_at"
    " FROM soc_key k"
)
_FILLED = "least($4, a.tokens + greatest(extract(epoch FROM clock_timestamp() - a.at), 0) * $3)"
_TAKE = f"""
    INSERT INTO soc_allowance AS a (tenant_id, tokens, granted, at)
    VALUES ($1, $4::float8 - $2::float8, true, clock_timestamp())
    ON CONFLICT (tenant_id) DO UPDATE SET
        tokens = {_FILLED} - CASE WHEN {_FILLED} > 0 THEN $2 ELSE 0 END, granted = {_FILLED} > 0,
        at = clock_timestamp()
    RETURNING granted, tokens
"""  # noqa: S608 - no value stands in it


def source_row(source: Source) -> Row:
    """Return the row of a new source."""
    return SOURCE, tuple(getattr(source, name) for name in SOURCE.columns)


def key_row(key: SourceKey) -> Row:
    """Return the row of a new key."""
    return KEY, tuple(getattr(key, name) for name in KEY.columns)


async def fetch(db: Database | Connection, tenant_id: UUID, source_id: UUID) -> Source | None:
    """Return a source of a member, or None."""
    row = await db.fetchrow(f"{_SOURCE} WHERE tenant_id = $1 AND source_id = $2", tenant_id, source_id)
    return Source(**row) if row else None


async def fetch_of_tenant(db: Database, tenant_id: UUID) -> list[Source]:
    """Return the sources of a member, those that have not ended first, by name."""
    rows = await db.fetch(
        f"{_SOURCE} WHERE tenant_id = $1 ORDER BY ended_at IS NOT NULL, lower(name), source_id", tenant_id
    )
    return [Source(**row) for row in rows]


async def update(
    conn: Connection, tenant_id: UUID, source_id: UUID, name: str, kind: str, expected_every: timedelta | None
) -> None:
    """Keep name, kind and expectation of a source."""
    await conn.execute(
        "UPDATE soc_source SET name = $3, kind = $4, expected_every = $5 WHERE tenant_id = $1 AND source_id = $2",
        tenant_id,
        source_id,
        name,
        kind,
        expected_every,
    )


async def end(conn: Connection, tenant_id: UUID, source_id: UUID, now: datetime) -> None:
    """End a source and its keys."""
    await conn.execute(
        "UPDATE soc_source SET ended_at = $3, expected_every = NULL WHERE tenant_id = $1 AND source_id = $2",
        tenant_id,
        source_id,
        now,
    )
    await conn.execute(
        "UPDATE soc_key SET revoked_at = $3 WHERE tenant_id = $1 AND source_id = $2 AND revoked_at IS NULL",
        tenant_id,
        source_id,
        now,
    )


async def count_events(db: Database, counts: Mapping[tuple[UUID, UUID], tuple[int, int, datetime]]) -> None:
    """Add to what came of sources, by member and source: events, faults among them, when the last one came."""
    ordered = sorted(counts.items(), key=str)  # one order, so that two processes cannot deadlock
    async with db.transaction() as conn:
        await conn.executemany(
            "UPDATE soc_source SET events = events + $3, faults = faults + $4,"
            " last_event_at = greatest(last_event_at, $5) WHERE tenant_id = $1 AND source_id = $2",
            [(tenant, source, *count) for (tenant, source), count in ordered],
        )


async def fetch_keys(db: Database, tenant_id: UUID, source_id: UUID) -> list[SourceKey]:
    """Return the keys of a source, the newest first."""
    rows = await db.fetch(
        f"{_KEY} WHERE k.tenant_id = $1 AND k.source_id = $2 ORDER BY k.key_id DESC", tenant_id, source_id
    )
    return [SourceKey(**row) for row in rows]


async def fetch_valid_keys(db: Database, now: datetime) -> Sequence[tuple[SourceKey, int]]:
    """Return the keys of active members that work, each with the quota of its member."""
    rows = await db.fetch(
        f"{_KEY.replace(' FROM', ', t.events_per_second FROM')} JOIN soc_tenant t USING (tenant_id)"
        " WHERE t.is_active AND k.revoked_at IS NULL AND k.expires_at > $1",
        now,
    )
    return [(SourceKey(**dict(list(row.items())[:-1])), row["events_per_second"]) for row in rows]


async def revoke(conn: Connection, tenant_id: UUID, key_id: UUID, now: datetime) -> UUID | None:
    """Revoke a key; return its source, None when there is no such key, or it was revoked before."""
    found: UUID | None = await conn.fetchval(
        "UPDATE soc_key SET revoked_at = $3 WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL"
        " RETURNING source_id",
        tenant_id,
        key_id,
        now,
    )
    return found


async def take_allowance(db: Database, tenant_id: UUID, wanted: float, rate: float, burst: float) -> float:
    """Take tokens of a member's bucket, which fills by `rate` a second up to `burst`; return 0, or seconds to wait.

    As long as there is any, all that is wanted is given, and the rest may be negative: then it has to fill first.
    """
    row = await db.fetchrow(_TAKE, tenant_id, wanted, rate, burst)
    assert row is not None
    return 0.0 if row["granted"] else max((1 - row["tokens"]) / rate, 0.01)
