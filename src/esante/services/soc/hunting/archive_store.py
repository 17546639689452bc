"""SQL of the files of past days."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.hunting.model import ArchiveFile
from esante.services.soc.hunting.parquet_file import FileFacts
from esante.services.soc.storage.days import day_bounds

FILE = Table(
    "soc_archive_file",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "file_id": "uuid",
        "day": "date",
        "state": "text",
        "rows": "bigint",
        "size": "bigint",
        "sha256": "bytea",
        "first_at": "timestamptz",
        "last_at": "timestamptz",
        "archived_at": "timestamptz",
    },
)
_FILE = (
    "SELECT tenant_id, file_id, day, rows, size, sha256, first_at, last_at, archived_at FROM soc_archive_file"
    " WHERE state IN ('complete', 'final')"
)


def writing_row(tenant_id: UUID, file_id: UUID, day: date) -> Row:
    """Return the row of a file before it is written."""
    return FILE, (tenant_id, file_id, day, "writing", 0, 0, b"", None, None, clock.now())


async def try_lock(conn: Connection) -> bool:
    """Return whether this transaction is the only one that archives."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('soc_archive', 0))"))


async def count_hot(db: Database | Connection, day: date) -> dict[UUID, int]:
    """Return how many events of each member the partition of a day has."""
    rows = await db.fetch(
        "SELECT tenant_id, count(*) AS count FROM soc_event WHERE event_id >= $1::uuid AND event_id < $2::uuid"
        " GROUP BY tenant_id",
        *day_bounds(day),
    )
    return {row["tenant_id"]: row["count"] for row in rows}


async def lock_day(conn: Connection, day: date) -> None:
    """Let nobody add events to a day until the transaction ends."""
    await conn.execute("SET LOCAL lock_timeout = '5s'")
    await conn.execute(f"LOCK TABLE soc_event_{day:%Y_%m_%d} IN SHARE MODE")


async def close_files(conn: Connection, day: date) -> None:
    """Make the complete files of a day final: the database no longer has their events."""
    await conn.execute("UPDATE soc_archive_file SET state = 'final' WHERE day = $1 AND state = 'complete'", day)


async def complete(conn: Connection, file: ArchiveFile) -> None:
    """Make a file the one of its member and day; an older one is to be removed."""
    await conn.execute(
        "UPDATE soc_archive_file SET state = 'removing' WHERE tenant_id = $1 AND day = $2 AND state = 'complete'",
        file.tenant_id,
        file.day,
    )
    await conn.execute(
        "UPDATE soc_archive_file SET state = 'complete', rows = $3, size = $4, sha256 = $5, first_at = $6,"
        " last_at = $7, archived_at = $8 WHERE tenant_id = $1 AND file_id = $2",
        file.tenant_id,
        file.file_id,
        file.rows,
        file.size,
        file.sha256,
        file.first_at,
        file.last_at,
        file.archived_at,
    )


async def fetch_rows_of_day(db: Database | Connection, day: date) -> dict[UUID, int]:
    """Return how many events of a day that the database still has are in files, by member."""
    rows = await db.fetch("SELECT tenant_id, rows FROM soc_archive_file WHERE day = $1 AND state = 'complete'", day)
    return {row["tenant_id"]: row["rows"] for row in rows}


async def fetch_files(
    db: Database | Connection, tenant_id: UUID | None, since: datetime | None = None, until: datetime | None = None
) -> list[ArchiveFile]:
    """Return the files of a member (None: of all) with events of a span, the newest first."""
    rows = await db.fetch(
        f"{_FILE} AND ($1::uuid IS NULL OR tenant_id = $1) AND ($2::timestamptz IS NULL OR last_at >= $2)"
        " AND ($3::timestamptz IS NULL OR first_at < $3) ORDER BY last_at DESC NULLS LAST, file_id",
        tenant_id,
        since,
        until,
    )
    return [ArchiveFile(**row) for row in rows]


async def fetch_page(
    db: Database, tenant_id: UUID | None, before: Sequence[object] | None, limit: int
) -> list[ArchiveFile]:
    """Return files by day, the newest first; `before`: day and key of the last one of the page before."""
    rows = await db.fetch(
        f"{_FILE} AND ($1::uuid IS NULL OR tenant_id = $1)"
        " AND ($2::date IS NULL OR (day, file_id) < ($2, $3)) ORDER BY day DESC, file_id DESC LIMIT $4",
        tenant_id,
        *(before or (None, None)),
        limit,
    )
    return [ArchiveFile(**row) for row in rows]


async def fetch_days(db: Database, tenant_id: UUID | None, since: date) -> list[tuple[date, int, int]]:
    """Return events and bytes in files by day, the oldest first."""
    rows = await db.fetch(
        "SELECT day, sum(rows)::bigint AS rows, sum(size)::bigint AS size FROM soc_archive_file"
        " WHERE state IN ('complete', 'final') AND ($1::uuid IS NULL OR tenant_id = $1) AND day >= $2"
        " GROUP BY day ORDER BY day",
        tenant_id,
        since,
    )
    return [(row["day"], row["rows"], row["size"]) for row in rows]


async def mark_removing(conn: Connection, tenant_id: UUID, before: date | None = None) -> list[ArchiveFile]:
    """Take the files of a member (those of days before one) out of use; return them."""
    rows = await conn.fetch(
        "UPDATE soc_archive_file SET state = 'removing' WHERE tenant_id = $1"
        " AND state IN ('complete', 'final') AND ($2::date IS NULL OR day < $2)"
        " RETURNING tenant_id, file_id, day, rows, size, sha256, first_at, last_at, archived_at",
        tenant_id,
        before,
    )
    return [ArchiveFile(**row) for row in rows]


async def fetch_unfinished(db: Database | Connection, age: timedelta) -> list[tuple[UUID, UUID]]:
    """Return member and key of files to be removed: replaced ones, and those that a killed process was writing."""
    rows = await db.fetch(
        "SELECT tenant_id, file_id FROM soc_archive_file WHERE state = 'removing'"
        " OR (state = 'writing' AND archived_at < $1) ORDER BY archived_at LIMIT 100",
        clock.now() - age,
    )
    return [(row["tenant_id"], row["file_id"]) for row in rows]


async def delete_unfinished(db: Database, tenant_id: UUID, file_id: UUID) -> None:
    """Delete the row of a file whose object is gone."""
    await db.fetch(
        "DELETE FROM soc_archive_file WHERE tenant_id = $1 AND file_id = $2 AND state IN ('writing', 'removing')",
        tenant_id,
        file_id,
    )


async def fetch_tenants_before(db: Database, before: date) -> list[UUID]:
    """Return the members with files of days before one."""
    rows = await db.fetch(
        "SELECT DISTINCT tenant_id FROM soc_archive_file WHERE state IN ('complete', 'final') AND day < $1", before
    )
    return [row["tenant_id"] for row in rows]


def archive_file(tenant_id: UUID, file_id: UUID, day: date, facts: FileFacts) -> ArchiveFile:
    """Return the file of a member and day that was written and read back."""
    return ArchiveFile(
        tenant_id=tenant_id,
        file_id=file_id,
        day=day,
        rows=facts.rows,
        size=facts.size,
        sha256=facts.sha256,
        first_at=facts.first_at,
        last_at=facts.last_at,
        archived_at=clock.now(),
    )


async def fetch_members(db: Database, tenant_id: UUID | None) -> list[Any]:
    """Return members (one, or all) by name with the events and bytes in their files."""
    return await db.fetch(
        "SELECT t.tenant_id, t.name, t.is_active, coalesce(sum(f.rows), 0)::bigint AS rows,"
        " coalesce(sum(f.size), 0)::bigint AS size FROM soc_tenant t LEFT JOIN soc_archive_file f"
        " ON f.tenant_id = t.tenant_id AND f.state IN ('complete', 'final') WHERE $1::uuid IS NULL OR t.tenant_id = $1"
        " GROUP BY t.tenant_id ORDER BY lower(t.name), t.tenant_id",
        tenant_id,
    )
