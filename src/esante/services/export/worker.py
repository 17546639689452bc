"""The export worker: each process has one, which takes the job that waited longest and does one step of it.

A step is one transaction: the segments written, the progress, and the journal entries of the persons concerned. The
objects are stored before; after a crash they are written again under the same names. So each line is exported exactly
once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic, thread_time
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.fhir import Issue, operation_outcome
from esante.core.journal import Actor, Journal
from esante.core.storage import Connection, Database, Objects, Row, Unavailable, insert
from esante.core.web import readable
from esante.identity.access import Access, Requester, requester_from_principal
from esante.services.export import rules, store
from esante.services.export.model import DataExported, ExportEnded, ExportLevel, Job, JobState, Line
from esante.services.export.policy import policy_on
from esante.services.export.segments.patient_sections import PatientSections, SectionPage
from esante.services.export.segments.segment_writer import Batch
from esante.services.record import BulkReader

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.5
STEP_SECONDS = 2.0
"""The length of a step; after it another job has its turn."""
CLEANUP_SECONDS = 60.0
"""The time between two searches for files of no job."""
GRACE = timedelta(minutes=10)
"""How long files outlive their expiry, for clients that are fetching one at that time."""
MAX_FAILURES = 6
PERSONS_PER_QUERY = 100


class ExportWorker:
    """Works on jobs, and removes those that were cancelled or have expired."""

    def __init__(
        self,
        db: Database,
        objects: Objects,
        journal: Journal,
        access: Access,
        extracts: BulkReader,
        sections: PatientSections,
    ) -> None:
        self._db, self._objects, self._journal = db, objects, journal
        self._access, self._extracts, self._sections = access, extracts, sections

    async def run(self) -> None:
        """Work until cancelled; wait while the database or the object store is unavailable."""
        cleaned_at = 0.0
        while True:
            busy = False
            try:
                busy = await self.advance()
                await self.remove_ended()
                if monotonic() - cleaned_at > CLEANUP_SECONDS:
                    await self.remove_orphaned_files()
                    cleaned_at = monotonic()
            except Unavailable:
                log.warning("exports are waiting for the database or the object store")
            except Exception:
                log.exception("the export worker failed; it will try again")
            if not busy:
                await asyncio.sleep(IDLE_SECONDS)

    async def advance(self) -> bool:
        """Do one step of the next job; False when none is due."""
        job: Job | None = None
        try:
            async with self._db.transaction() as conn:
                job = await store.lock_next_job(conn, clock.now())
                if job is not None:
                    await self._do_step(conn, job)
        except Unavailable:
            raise
        except Exception as error:
            if job is None:
                raise
            log.exception("export %s failed; it will be tried again", job.id)
            await self._postpone(job, error)
        return job is not None

    async def remove_ended(self) -> None:
        """Remove the jobs that were cancelled or have expired, with their files."""
        while await self._remove_one(clock.now() - GRACE):
            pass

    async def remove_orphaned_files(self) -> None:
        """Remove files of no job, which a killed process may have left."""
        folders = {key for name in await self._objects.folders("export") if (key := _job_id(name)) is not None}
        for job_id in folders - await store.existing_jobs(self._db, list(folders)):
            await self._objects.remove_folder(f"export/{job_id.hex}")

    # Steps

    async def _do_step(self, conn: Connection, job: Job) -> None:
        requester = await self._access.reauthorize(requester_from_principal(job.request.principal, job.request.origin))
        if requester is None:  # deleted or disabled since: nothing more is exported
            await self._save_step(conn, replace(job, total=job.total or 0), Batch(), finished=True)
            return
        batch = Batch()
        if job.total is None:
            job = replace(job, total=await self._count_persons(job, requester))
            batch = Batch(_ignored_params_lines(job))
        end, finished = monotonic() + STEP_SECONDS, True
        async for page in self._pages(job, requester):
            batch.add(page)
            done = job.done + (page.cursor.section < 0)
            job = replace(job, cursor=page.cursor, done=done)
            if batch.full or monotonic() > end:
                finished = False
                break
            await yield_to_requests()
        await self._save_step(conn, job, batch, finished=finished)

    async def _save_step(self, conn: Connection, job: Job, batch: Batch, *, finished: bool) -> None:
        """Write the batch and the job's progress, or nothing when the job was cancelled meanwhile."""
        if await store.is_cancelled(conn, job.id):
            return
        segments = await batch.write(self._objects, job)
        rows: list[Row] = store.segment_rows(job.id, segments)
        for copy in batch.persons:
            fields = {"job_id": job.id, "count": copy.count}
            rows += self._extracts.audit_rows(DataExported, copy.view, copy.categories, (), **fields)
        now = clock.now()
        job = replace(job, segments=job.segments + len(segments))
        if finished:
            job = replace(job, state=JobState.DONE, ended_at=now, expires_at=now + policy_on(now.date()).keep)
            rows += self._ended_rows(job, JobState.DONE.value)
        await insert(conn, rows)
        await store.update_progress(conn, job, now)

    async def _pages(self, job: Job, requester: Requester) -> AsyncIterator[SectionPage]:
        """Yield the pages of a job from its cursor on, person by person."""
        person_id = job.cursor.person_id
        if job.cursor.section >= 0:
            async for page in self._sections.pages(job, requester, person_id):
                yield page
        while person_ids := await self._next_persons(job, requester, person_id):
            for person_id in person_ids:
                async for page in self._sections.pages(job, requester, person_id):
                    yield page

    async def _next_persons(self, job: Job, requester: Requester, after: UUID) -> list[UUID]:
        """Return the next persons of a job, by key: those of whom the requester may see anything now."""
        only = requester.id if requester.kind == "patient" else None
        if job.request.level is ExportLevel.PERSON:
            only = job.request.subject
        if only is not None:
            return [only] if only > after else []
        return await self._access.grants.list_persons(requester, _group(job), after=after, limit=PERSONS_PER_QUERY)

    async def _count_persons(self, job: Job, requester: Requester) -> int:
        if requester.kind == "patient" or job.request.level is ExportLevel.PERSON:
            return 1
        return await self._access.grants.count_persons(requester, _group(job))

    # Failures and removal

    async def _postpone(self, job: Job, error: Exception) -> None:
        """Try again after 2 s, 4 s, 8 s …; after `MAX_FAILURES` the job has failed."""
        now = clock.now()
        retry_at, expires_at = now + timedelta(seconds=2 ** (job.failures + 1)), now + policy_on(now.date()).keep
        async with self._db.transaction() as conn:
            name = type(error).__name__
            state = await store.record_failure(
                conn, job.id, name, retry_at, max_failures=MAX_FAILURES, expires_at=expires_at
            )
            if state is JobState.FAILED:
                await insert(conn, self._ended_rows(job, JobState.FAILED.value))

    async def _remove_one(self, before: datetime) -> bool:
        async with self._db.transaction() as conn:
            job = await store.lock_ended_job(conn, before)
            if job is None:
                return False
            await self._objects.remove_folder(job.folder)
            await store.delete_job(conn, job.id)
            if job.state is not JobState.CANCELLED:  # a cancellation has its own entry already
                await insert(conn, self._ended_rows(job, "expired"))
        return True

    def _ended_rows(self, job: Job, how: str) -> list[Row]:
        event = ExportEnded(job_id=job.id, how=how, persons=job.done)
        actor = Actor(kind="system", name="esante", client=job.request.principal.get("client", ""))
        return self._journal.rows(event, person_id=job.request.person_id, actor=actor)


async def yield_to_requests() -> None:
    """Let requests of this process run first: the longer they keep it busy, the longer the work pauses."""
    before = thread_time()
    await asyncio.sleep(0)
    if pause := rules.pause_seconds(thread_time() - before):
        await asyncio.sleep(pause)


def _job_id(folder: str) -> UUID | None:
    """Return the id of the job whose folder has a name; None for other folders."""
    try:
        return UUID(hex=folder)
    except ValueError:
        return None


def _group(job: Job) -> UUID | None:
    return job.request.subject if job.request.level is ExportLevel.GROUP else None


def _ignored_params_lines(job: Job) -> list[Line]:
    """Return an OperationOutcome for each ignored parameter (Bulk Data, "error")."""
    names = map(readable, job.request.ignored)
    issues = [Issue("warning", "not-supported", name, f"The parameter {name} was ignored.") for name in names]
    return [Line("OperationOutcome", orjson.dumps(operation_outcome([issue])), kind="error") for issue in issues]
