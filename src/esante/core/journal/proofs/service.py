"""The use cases of proofs: write one at once, or ask for one that is made in the background."""

from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO
from uuid import UUID

from esante.core import clock
from esante.core.journal import store as journal_store
from esante.core.journal.proofs import job_store
from esante.core.journal.proofs.job import ProofJob
from esante.core.journal.proofs.proof import END, Place, ProofWriter
from esante.core.journal.proofs.worker import ProofWorker
from esante.core.storage import Database, JobState, Objects, Row, insert, uuid7


class Proofs:
    """Proofs of persons; `worker` makes those that were asked for."""

    def __init__(self, db: Database, objects: Objects, writer: ProofWriter) -> None:
        self._db, self._objects, self._writer = db, objects, writer
        self.worker = ProofWorker(db, objects, writer)

    async def write(self, person_id: UUID, file: BinaryIO) -> bool:
        """Write the proof file of a person now; return False before the first seal. Raises: `Unavailable`."""
        head = await journal_store.last_checkpoint(self._db)
        if head is None:
            return False
        subject = await self._writer.subject(person_id, head["size"])
        async for piece, _ in self._writer.pieces(subject, head["note"], Place()):
            file.write(piece)
        file.write(END)
        return True

    async def ask(self, person_id: UUID, rows: Sequence[Row]) -> ProofJob:
        """Begin a proof of a person, and insert `rows` (its journal entry) with it; or return the one that is running.

        A person has one proof at most: one that was made before is removed.
        """
        async with self._db.transaction() as conn:
            await job_store.lock_person(conn, person_id)
            before = await job_store.fetch_job(conn, person_id)
            if before and before.state is JobState.RUNNING:
                return before
            if before:
                await job_store.delete_job(conn, before.id)
            job = ProofJob(id=uuid7(), person_id=person_id, asked_at=clock.now())
            await insert(conn, [job_store.job_row(job), *rows])
        if before:
            await self._objects.remove_folder(before.folder)
        return job

    async def current(self, person_id: UUID) -> ProofJob | None:
        """Return the proof of a person that was asked for last, unless it has expired."""
        job = await job_store.fetch_job(self._db, person_id)
        return job if job and (job.expires_at is None or job.expires_at > clock.now()) else None

    async def stream(self, job: ProofJob) -> AsyncIterator[bytes]:
        """Yield the file of a finished proof, segment by segment."""
        for number in range(job.segments):
            yield await self._objects.get_named(job.segment_name(number))
