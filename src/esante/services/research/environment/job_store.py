"""The SQL of jobs."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.environment.model import JobKind, ResearchJob, ResearchJobState

JOB = Table(
    "research_job",
    Kind.LOCAL,
    {
        "job_id": "uuid",
        "permit_id": "uuid",
        "account_id": "uuid",
        "account": "text",
        "kind": "text",
        "text": "text",
        "protect": "boolean",
        "state": "text",
        "failure": "text",
        "message": "text",
        "line": "integer",
        "created_at": "timestamptz",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)
_COLUMNS = ", ".join(JOB.columns)


def job_row(job: ResearchJob) -> Row:
    """Return the row of a job that is handed in."""
    return JOB, tuple(getattr(job, name) for name in JOB.columns)


async def fetch_job(db: Database | Connection, permit_id: UUID, job_id: UUID) -> ResearchJob | None:
    """Return a job of a permit, or None."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM research_job WHERE permit_id = $1 AND job_id = $2",  # noqa: S608
        permit_id,
        job_id,
    )
    return _job(row) if row else None


async def fetch_jobs(db: Database, permit_id: UUID, text: str, before: UUID | None, limit: int) -> list[ResearchJob]:
    """Return jobs of a permit, the latest first; `text`: a part of the job or of the name of who sent it."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM research_job WHERE permit_id = $1 AND ($3::uuid IS NULL OR job_id < $3)"  # noqa: S608
        " AND ($2 = '' OR position(lower($2) IN lower(text || ' ' || account)) > 0) ORDER BY job_id DESC LIMIT $4",
        permit_id,
        text,
        before,
        limit,
    )
    return [_job(row) for row in rows]


async def count_open(db: Database | Connection, permit_id: UUID) -> int:
    """Return how many jobs of a permit wait or run."""
    return int(
        await db.fetchval(
            "SELECT count(*) FROM research_job WHERE permit_id = $1 AND state IN ('waiting', 'running')", permit_id
        )
    )


async def count_before(db: Database, job: ResearchJob) -> int:
    """Return how many jobs wait or run that came before a job."""
    return int(
        await db.fetchval(
            "SELECT count(*) FROM research_job WHERE state IN ('waiting', 'running') AND created_at < $1",
            job.created_at,
        )
    )


async def take_next(conn: Connection, now: datetime) -> ResearchJob | None:
    """Take the job that waited longest, so that no other process does; None where none waits."""
    row = await conn.fetchrow(
        "UPDATE research_job SET state = 'running', started_at = $1, beat_at = $1 WHERE job_id ="  # noqa: S608
        " (SELECT job_id FROM research_job WHERE state = 'waiting' ORDER BY created_at, job_id LIMIT 1"
        f" FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
        now,
    )
    return _job(row) if row else None


async def beat(db: Database, job_id: UUID, now: datetime) -> bool:
    """Note that a job is worked on; return whether it is to go on."""
    found = await db.fetchval(
        "UPDATE research_job SET beat_at = $2 WHERE job_id = $1 AND state = 'running' RETURNING true", job_id, now
    )
    return bool(found)


async def end_job(conn: Connection, job: ResearchJob) -> bool:
    """Store the end of a job that waits or runs; False for one that was over."""
    found = await conn.fetchval(
        "UPDATE research_job SET state = $2, failure = $3, message = $4, line = $5, ended_at = $6"
        " WHERE job_id = $1 AND state IN ('waiting', 'running') RETURNING true",
        job.job_id,
        job.state,
        job.failure,
        job.message,
        job.line,
        job.ended_at,
    )
    return bool(found)


async def fetch_abandoned(conn: Connection, before: datetime) -> list[ResearchJob]:
    """Return the running jobs on which nobody has worked since a moment, locked."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM research_job WHERE state = 'running' AND beat_at < $1 FOR UPDATE SKIP LOCKED",  # noqa: S608
        before,
    )
    return [_job(row) for row in rows]


def _job(row: Any) -> ResearchJob:
    return ResearchJob(**{**row, "kind": JobKind(row["kind"]), "state": ResearchJobState(row["state"])})
