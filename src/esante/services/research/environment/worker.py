"""Works on jobs: one at a time in each process, shut in; what they hand over is checked before it is kept."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Unavailable, insert
from esante.core.web import Problem
from esante.services.research.environment import job_store
from esante.services.research.environment.model import (
    JobEnded,
    JobLimits,
    ResearchJob,
    ResearchJobState,
    SandboxResult,
)
from esante.services.research.environment.sandbox import NoIsolation, run_in_sandbox
from esante.services.research.lake.service import Lake, sandbox_tables
from esante.services.research.outputs.service import Outputs
from esante.services.research.permits.model import Permit
from esante.services.research.permits.rules import fault_of_time
from esante.services.research.permits.service import Permits

log = logging.getLogger(__name__)
ABANDONED_AFTER = timedelta(minutes=2)
_IDLE_SECONDS, _BEAT_SECONDS = 1.0, 1.0


class JobRunner:
    """Runs the jobs that wait; started by the application, once in each process."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        permits: Permits,
        lake: Lake,
        outputs: Outputs,
        limits: JobLimits,
    ) -> None:
        self._db, self._journal, self._permits = db, journal, permits
        self._lake, self._outputs, self.limits = lake, outputs, limits

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            busy = False
            try:
                await self._end_abandoned()
                busy = await self.advance()
            except Unavailable:
                log.warning("jobs of research wait for the database")
            except Exception:
                log.exception("the work on jobs of research failed; it is tried again")
            if not busy:
                await asyncio.sleep(_IDLE_SECONDS)

    async def advance(self) -> bool:
        """Run the job that waited longest; False where none waits."""
        async with self._db.transaction() as conn:
            job = await job_store.take_next(conn, clock.now())
        if job is None:
            return False
        working = asyncio.create_task(self._work(job))
        beating = asyncio.create_task(self._beat(job.job_id, working))
        try:
            await asyncio.wait({working})
            if not working.cancelled() and (error := working.exception()):
                log.error("the job %s failed", job.job_id, exc_info=error)
                await self._end(job, SandboxResult(code="killed"), None)
        finally:
            beating.cancel()
            working.cancel()
            await asyncio.gather(working, beating, return_exceptions=True)
        return True

    async def _work(self, job: ResearchJob) -> None:
        """Run a job and keep what it hands over. The permit is asked before and after: it may end meanwhile."""
        permit = await self._valid_permit(job)
        ready = await self._lake.ready(job.permit_id)
        if permit is None or ready is None:
            await self._end(job, SandboxResult(code="permit"), None)
            return
        extraction, folder = ready
        try:
            result = await run_in_sandbox(job.kind, job.text, folder, sandbox_tables(permit), self.limits)
        except NoIsolation as error:
            log.error("the job %s was not run: %s", job.job_id, error)
            result = SandboxResult(code="isolation")
        if await self._valid_permit(job) is None:
            result = SandboxResult(code="permit")
        await self._end(job, result, extraction.extraction_id, folder)

    async def _valid_permit(self, job: ResearchJob) -> Permit | None:
        """Return the permit of a job; None when it no longer allows it."""
        try:
            permit = await self._permits.find(job.permit_id)
        except Problem:
            return None
        return permit if fault_of_time(permit, clock.now()) is None else None

    async def _end(
        self, job: ResearchJob, result: SandboxResult, extraction_id: UUID | None, folder: Path | None = None
    ) -> None:
        from esante.services.research.lake.part_files import pseudonyms_in

        state = ResearchJobState.FAILED if result.code else ResearchJobState.DONE
        pseudonyms = await asyncio.to_thread(pseudonyms_in, folder) if folder and result.tables else frozenset()
        ended = job.ended(state, clock.now(), result.code, result.message, result.line)
        event = JobEnded(
            job_id=job.job_id,
            permit_id=job.permit_id,
            state=state,
            failure=result.code,
            extraction_id=extraction_id,
            tables=tuple(result.tables),
            left_out=tuple(result.left_out),
        )
        async with self._db.transaction() as conn:
            if await job_store.end_job(conn, ended):
                rows = await self._outputs.check(conn, job, result.tables, pseudonyms)
                await insert(conn, [*self._journal.rows(event), *rows])

    async def _beat(self, job_id: UUID, working: "asyncio.Task[None]") -> None:
        """Say each second that a job is worked on; end the work when somebody cancelled it."""
        while await job_store.beat(self._db, job_id, clock.now()):  # noqa: ASYNC110 - other processes cancel, too
            await asyncio.sleep(_BEAT_SECONDS)
        working.cancel()

    async def _end_abandoned(self) -> None:
        """End the jobs of processes that died."""
        now = clock.now()
        async with self._db.transaction() as conn:
            for job in await job_store.fetch_abandoned(conn, now - ABANDONED_AFTER):
                await job_store.end_job(conn, job.ended(ResearchJobState.FAILED, now, "lost"))
                event = JobEnded(
                    job_id=job.job_id, permit_id=job.permit_id, state="failed", failure="lost", extraction_id=None
                )
                await insert(conn, self._journal.rows(event))
