"""SQL of the proofs made in the background. A person has one at most."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.journal.proofs.job import ProofJob
from esante.core.journal.proofs.proof import Place
from esante.core.storage import Connection, Database, JobState, Kind, Row, Table

JOB = Table(
    "journal_proof",
    Kind.LOCAL,
    {
        "person_id": "uuid",
        "job_id": "uuid",
        "state": "text",
        "asked_at": "timestamptz",
        "turn_at": "timestamptz",
    },
)
_SELECT = (
    "SELECT person_id, job_id, state, asked_at, size, count, entries, expiry_id, segments, bytes, failures, ended_at,"
    " expires_at FROM journal_proof"
)


def job_row(job: ProofJob) -> Row:
    """Return the row of a new job."""
    return JOB, (job.person_id, job.id, job.state.value, job.asked_at, job.asked_at)


async def lock_person(conn: Connection, person_id: UUID) -> None:
    """Serialise the requests of a person for proofs until the end of the transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"proof {person_id}")


async def fetch_job(conn: Connection | Database, person_id: UUID) -> ProofJob | None:
    """Return the proof of a person, or None."""
    row = await conn.fetchrow(f"{_SELECT} WHERE person_id = $1", person_id)
    return _job(row) if row else None


async def lock_next_job(conn: Connection, now: datetime) -> ProofJob | None:
    """Return the job that has waited longest, locked until the transaction ends; None when none is due or free."""
    row = await conn.fetchrow(
        f"{_SELECT} WHERE state = 'running' AND turn_at <= $1 ORDER BY turn_at LIMIT 1 FOR UPDATE SKIP LOCKED", now
    )
    return _job(row) if row else None


async def update_progress(conn: Connection, job: ProofJob, turn_at: datetime) -> None:
    """Write the progress of a job, which is worked on again from `turn_at`."""
    await conn.execute(
        """
        UPDATE journal_proof SET state = $2, size = $3, count = $4, entries = $5, expiry_id = $6, segments = $7,
            bytes = $8, ended_at = $9, expires_at = $10, asked_at = $11, turn_at = $12, failures = 0, last_error = ''
        WHERE job_id = $1
        """,
        job.id,
        job.state.value,
        job.size,
        job.count,
        job.place.entries,
        job.place.expiry_id,
        job.segments,
        job.bytes,
        job.ended_at,
        job.expires_at,
        job.asked_at,
        turn_at,
    )


async def lock_expired_job(conn: Connection, before: datetime) -> ProofJob | None:
    """Return a job that expired before a time, locked until the end of the transaction; None when there is none."""
    row = await conn.fetchrow(f"{_SELECT} WHERE expires_at <= $1 LIMIT 1 FOR UPDATE SKIP LOCKED", before)
    return _job(row) if row else None


async def delete_job(conn: Connection, job_id: UUID) -> None:
    """Delete a job."""
    await conn.execute("DELETE FROM journal_proof WHERE job_id = $1", job_id)


async def existing_jobs(db: Database, ids: Sequence[UUID]) -> set[UUID]:
    """Return the ids among `ids` that are of jobs."""
    return {row["job_id"] for row in await db.fetch("SELECT job_id FROM journal_proof WHERE job_id = ANY($1)", ids)}


def _job(row: Any) -> ProofJob:
    values = dict(row)
    place = Place(values.pop("entries"), values.pop("expiry_id"))
    return ProofJob(id=values.pop("job_id"), state=JobState(values.pop("state")), place=place, **values)
