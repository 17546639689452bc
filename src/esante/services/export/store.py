"""The SQL of exports."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from esante.core.storage import Connection, Database, JobState, Kind, Row, Table
from esante.services.export.model import Cursor, ExportRequest, Job, Segment

JOB = Table(
    "export_job",
    Kind.LOCAL,
    {
        "job_id": "uuid",
        "owner": "text",
        "asked": "jsonb",
        "state": "text",
        "asked_at": "timestamptz",
        "turn_at": "timestamptz",
        "cursor": "jsonb",
    },
)
SEGMENT = Table(
    "export_segment",
    Kind.LOCAL,
    {
        "job_id": "uuid",
        "number": "integer",
        "kind": "text",
        "type": "text",
        "lines": "integer",
        "size": "bigint",
        "crc": "bigint",
        "stored": "bigint",
    },
)
CLIENT = Table(
    "export_client", Kind.LOCAL, {"job_id": "uuid", "polled_at": "timestamptz", "cancelled_at": "timestamptz"}
)

_JOBS = """
SELECT j.job_id, j.owner, j.asked, CASE WHEN c.cancelled_at IS NULL THEN j.state ELSE 'cancelled' END AS state,
    j.asked_at, j.cursor, j.total, j.done, j.segments, j.failures, j.last_error, j.ended_at, j.expires_at
FROM export_job j LEFT JOIN export_client c USING (job_id)
"""
_request_decoder = msgspec.json.Decoder(ExportRequest)
_cursor_decoder = msgspec.json.Decoder(Cursor)


def job_row(job: Job, turn_at: datetime) -> Row:
    """Return the row of a new job, which is worked on from `turn_at`."""
    cursor = msgspec.json.encode(job.cursor).decode()
    request = msgspec.json.encode(job.request).decode()
    return JOB, (job.id, job.owner, request, job.state.value, job.asked_at, turn_at, cursor)


def segment_rows(job_id: UUID, segments: Sequence[Segment]) -> list[Row]:
    """Return the rows of new segments."""
    return [(SEGMENT, (job_id, s.number, s.kind, s.type, s.lines, s.size, s.crc, s.stored)) for s in segments]


async def lock_owner(conn: Connection, owner: str) -> None:
    """Serialise the kick-offs of an owner until the end of the transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"export {owner}")


async def fetch_jobs_of(db: Database | Connection, owner: str, now: datetime) -> list[Job]:
    """Return the jobs of an owner that are neither cancelled nor expired, newest first."""
    rows = await db.fetch(
        f"{_JOBS} WHERE j.owner = $1 AND c.cancelled_at IS NULL AND (j.expires_at IS NULL OR j.expires_at > $2)"
        " ORDER BY j.job_id DESC",
        owner,
        now,
    )
    return [_job(row) for row in rows]


async def fetch_all_jobs(db: Database) -> list[Job]:
    """Return every job, newest first."""
    return [_job(row) for row in await db.fetch(f"{_JOBS} ORDER BY j.job_id DESC")]


async def fetch_job(db: Database, job_id: UUID) -> Job | None:
    """Return a job, or None."""
    row = await db.fetchrow(f"{_JOBS} WHERE j.job_id = $1", job_id)
    return _job(row) if row else None


async def fetch_segments(db: Database, job_id: UUID) -> list[Segment]:
    """Return the segments of a job, in order."""
    sql = "SELECT number, kind, type, lines, size, crc, stored FROM export_segment WHERE job_id = $1 ORDER BY number"
    return [Segment(*row) for row in await db.fetch(sql, job_id)]


async def record_poll(db: Database, job_id: UUID, at: datetime, min_interval: timedelta) -> bool:
    """Record that a client asked for the state of a job; False when the last time was less than `min_interval` ago."""
    recorded = await db.fetchval(
        "INSERT INTO export_client (job_id, polled_at) VALUES ($1, $2) ON CONFLICT (job_id)"
        " DO UPDATE SET polled_at = $2 WHERE export_client.polled_at <= $2 - $3::interval RETURNING true",
        job_id,
        at,
        min_interval,
    )
    return bool(recorded)


# Work


async def lock_next_job(conn: Connection, now: datetime) -> Job | None:
    """Return the job that has waited longest, locked until the transaction ends; None when none is due or free."""
    row = await conn.fetchrow(
        f"{_JOBS} WHERE j.state = 'running' AND j.turn_at <= $1 AND c.cancelled_at IS NULL"
        " ORDER BY j.turn_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED",
        now,
    )
    return _job(row) if row else None


async def is_cancelled(conn: Connection, job_id: UUID) -> bool:
    """Return whether a job was cancelled, perhaps since it was locked."""
    sql = "SELECT true FROM export_client WHERE job_id = $1 AND cancelled_at IS NOT NULL"
    return bool(await conn.fetchval(sql, job_id))


async def update_progress(conn: Connection, job: Job, now: datetime) -> None:
    """Write the progress of a job, and put it behind the other jobs."""
    await conn.execute(
        "UPDATE export_job SET cursor = $2, total = $3, done = $4, segments = $5, state = $6, ended_at = $7,"
        " expires_at = $8, turn_at = $9, failures = 0, last_error = '' WHERE job_id = $1",
        job.id,
        msgspec.json.encode(job.cursor).decode(),
        job.total,
        job.done,
        job.segments,
        job.state.value,
        job.ended_at,
        job.expires_at,
        now,
    )


# Cancellation and removal


async def mark_cancelled(conn: Connection, job_id: UUID, at: datetime) -> bool:
    """Mark a job, finished or not, as cancelled; False when it was before."""
    sql = (
        "INSERT INTO export_client (job_id, polled_at, cancelled_at) VALUES ($1, $2, $2) ON CONFLICT (job_id)"
        " DO UPDATE SET cancelled_at = $2 WHERE export_client.cancelled_at IS NULL RETURNING true"
    )
    return bool(await conn.fetchval(sql, job_id, at))


async def lock_ended_job(conn: Connection, before: datetime) -> Job | None:
    """Return a job that was cancelled, or expired before a time, locked until the end of the transaction.

    Jobs that are being worked on are left out; None when there is no other.
    """
    row = await conn.fetchrow(
        f"{_JOBS} WHERE c.cancelled_at IS NOT NULL OR j.expires_at <= $1 LIMIT 1 FOR UPDATE OF j SKIP LOCKED", before
    )
    return _job(row) if row else None


async def delete_job(conn: Connection, job_id: UUID) -> None:
    """Delete a job with its segments."""
    for table in ("export_segment", "export_client", "export_job"):
        await conn.execute(f"DELETE FROM {table} WHERE job_id = $1", job_id)  # noqa: S608


async def existing_jobs(db: Database, ids: Sequence[UUID]) -> set[UUID]:
    """Return the ids among `ids` that are of jobs."""
    rows = await db.fetch("SELECT job_id FROM export_job WHERE job_id = ANY($1)", list(ids))
    return {row["job_id"] for row in rows}


def _job(row: Any) -> Job:
    values = dict(row)
    values["id"] = values.pop("job_id")
    values["request"] = _request_decoder.decode(values.pop("asked"))
    values["state"] = JobState(values["state"])
    values["cursor"] = _cursor_decoder.decode(values["cursor"])
    return Job(**values)
