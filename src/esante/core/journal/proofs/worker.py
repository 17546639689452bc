"""The worker of proofs: a step writes some pieces of one as a segment, and the progress."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

from esante.core import clock
from esante.core.journal import store as journal_store
from esante.core.journal.proofs import job_store
from esante.core.journal.proofs.job import ProofJob
from esante.core.journal.proofs.proof import END, ExpiryNotSealed, Place, ProofWriter, Subject
from esante.core.storage import (
    Connection,
    Database,
    JobState,
    JobWorker,
    Objects,
    record_failure,
    yield_to_requests,
)

KEPT = timedelta(days=1)
"""How long a finished proof can be fetched."""
SEGMENT_BYTES = 4 * 1024 * 1024
"""Bytes of a segment, after which it is written."""
SEAL_WAIT = timedelta(seconds=10)
"""How long a proof waits for a seal that covers the moment when it was asked for."""
_POLL = timedelta(milliseconds=500)


class ProofWorker(JobWorker[ProofJob]):
    """Works on proofs, and removes those that have expired."""

    FOLDER = "proof"

    def __init__(self, db: Database, objects: Objects, writer: ProofWriter) -> None:
        super().__init__(db, objects)
        self._writer = writer

    async def _do_step(self, conn: Connection, job: ProofJob) -> None:
        now = clock.now()
        head = await journal_store.last_checkpoint(conn, job.size)
        if head is None or (job.size is None and head["sealed_at"] < job.asked_at and now < job.asked_at + SEAL_WAIT):
            await job_store.update_progress(conn, job, now + _POLL)
            return
        subject = await self._writer.subject(job.person_id, head["size"])
        try:
            job = await self._write_segment(
                replace(job, size=subject.size, count=subject.count), subject, head["note"]
            )
        except ExpiryNotSealed:  # begun anew, in a newer tree
            job = replace(job, size=None, place=Place(), segments=0, bytes=0, asked_at=now)
        await job_store.update_progress(conn, job, clock.now())

    async def _write_segment(self, job: ProofJob, subject: Subject, note: str) -> ProofJob:
        """Write the next pieces of a proof; return the job as it is then. Raises: `ExpiryNotSealed`."""
        segment, finished, end = bytearray(), True, monotonic() + self.STEP_SECONDS
        async for piece, place in self._writer.pieces(subject, note, job.place):
            segment += piece
            job = replace(job, place=place)
            if len(segment) >= SEGMENT_BYTES or monotonic() > end:
                finished = False
                break
            await yield_to_requests()
        if finished:
            now = clock.now()
            segment += END
            job = replace(job, state=JobState.DONE, ended_at=now, expires_at=now + KEPT)
        await self._objects.put_named(job.segment_name(job.segments), bytes(segment))
        return replace(job, segments=job.segments + 1, bytes=job.bytes + len(segment))

    async def _lock_next(self, conn: Connection, now: datetime) -> ProofJob | None:
        return await job_store.lock_next_job(conn, now)

    async def _record_failure(self, conn: Connection, job: ProofJob, error: str, retry_at: datetime) -> None:
        await record_failure(conn, job_store.JOB, job.id, error, retry_at, clock.now() + KEPT)

    async def _lock_ended(self, conn: Connection, before: datetime) -> ProofJob | None:
        return await job_store.lock_expired_job(conn, before)

    async def _delete(self, conn: Connection, job: ProofJob) -> None:
        await job_store.delete_job(conn, job.id)

    async def _existing(self, ids: Sequence[UUID]) -> set[UUID]:
        return await job_store.existing_jobs(self._db, ids)
