"""The export worker: a step writes segments, the progress, and the journal entries of the persons concerned.

After a crash the objects of a step are written again under the same names. So each line is exported exactly once.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.fhir import Issue, operation_outcome
from esante.core.journal import Actor, Journal
from esante.core.storage import (
    Connection,
    Database,
    JobState,
    JobWorker,
    Objects,
    Row,
    insert,
    record_failure,
    yield_to_requests,
)
from esante.core.time_zone import day_of
from esante.core.web import readable
from esante.identity.access import Access, Requester, requester_from_principal
from esante.services.export import store
from esante.services.export.model import DataExported, ExportEnded, ExportLevel, Job, Line
from esante.services.export.policy import policy_on
from esante.services.export.segments.patient_sections import PatientSections, SectionPage
from esante.services.export.segments.segment_writer import Batch
from esante.services.record import BulkReader

PERSONS_PER_QUERY = 100


class ExportWorker(JobWorker[Job]):
    """Works on exports, and removes those that were cancelled or have expired."""

    FOLDER = "export"

    def __init__(
        self,
        db: Database,
        objects: Objects,
        journal: Journal,
        access: Access,
        extracts: BulkReader,
        sections: PatientSections,
    ) -> None:
        super().__init__(db, objects)
        self._journal = journal
        self._access, self._extracts, self._sections = access, extracts, sections

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
        end, finished = monotonic() + self.STEP_SECONDS, True
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
            about = copy.view, copy.categories, ()
            rows += self._extracts.audit_rows(DataExported, *about, job_id=job.id, count=copy.count)
        now = clock.now()
        job = replace(job, segments=job.segments + len(segments))
        if finished:
            job = replace(job, state=JobState.DONE, ended_at=now, expires_at=now + policy_on(day_of(now)).keep)
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

    async def _lock_next(self, conn: Connection, now: datetime) -> Job | None:
        return await store.lock_next_job(conn, now)

    async def _record_failure(self, conn: Connection, job: Job, error: str, retry_at: datetime) -> None:
        now = clock.now()
        expires_at = now + policy_on(day_of(now)).keep
        if await record_failure(conn, store.JOB, job.id, error, retry_at, expires_at) is JobState.FAILED:
            await insert(conn, self._ended_rows(job, JobState.FAILED.value))

    async def _lock_ended(self, conn: Connection, before: datetime) -> Job | None:
        return await store.lock_ended_job(conn, before)

    async def _delete(self, conn: Connection, job: Job) -> None:
        await store.delete_job(conn, job.id)
        if job.state is not JobState.CANCELLED:  # a cancellation has its own entry already
            await insert(conn, self._ended_rows(job, "expired"))

    async def _existing(self, ids: Sequence[UUID]) -> set[UUID]:
        return await store.existing_jobs(self._db, ids)

    def _ended_rows(self, job: Job, how: str) -> list[Row]:
        event = ExportEnded(job_id=job.id, how=how, persons=job.done)
        actor = Actor(kind="system", name="esante", client=job.request.principal.get("client", ""))
        return self._journal.rows(event, person_id=job.request.person_id, actor=actor)


def _group(job: Job) -> UUID | None:
    return job.request.subject if job.request.level is ExportLevel.GROUP else None


def _ignored_params_lines(job: Job) -> list[Line]:
    """Return an OperationOutcome for each ignored parameter (Bulk Data, "error")."""
    names = map(readable, job.request.ignored)
    issues = [Issue("warning", "not-supported", name, f"The parameter {name} was ignored.") for name in names]
    return [Line("OperationOutcome", orjson.dumps(operation_outcome([issue])), kind="error") for issue in issues]
