"""SQL that the tables of all kinds of jobs share."""

from datetime import datetime
from uuid import UUID

from esante.core.storage.jobs import MAX_FAILURES, JobState
from esante.core.storage.pool import Connection
from esante.core.storage.table import Table


async def record_failure(
    conn: Connection, table: Table, job_id: UUID, error: str, turn_at: datetime, expires_at: datetime
) -> JobState | None:
    """Record that a step failed: it is tried again from `turn_at`, but not after `MAX_FAILURES` failures.

    `table` has job_id, state, failures, last_error, turn_at, ended_at and expires_at. Returns the new state; None when
    the job is not running any more.
    """
    state = await conn.fetchval(
        f"UPDATE {table.name} SET failures = failures + 1, last_error = $2, turn_at = $3,"  # noqa: S608 - a declared name
        " state = CASE WHEN failures + 1 >= $4 THEN 'failed' ELSE state END,"
        " ended_at = CASE WHEN failures + 1 >= $4 THEN now() END,"
        " expires_at = CASE WHEN failures + 1 >= $4 THEN $5::timestamptz END"
        " WHERE job_id = $1 AND state = 'running' RETURNING state",
        job_id,
        error,
        turn_at,
        MAX_FAILURES,
        expires_at,
    )
    return JobState(state) if state else None
