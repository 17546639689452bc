"""The use cases of the environment: data of a permit, jobs over them, results. Every one begins with the permit."""

from collections.abc import Collection, Mapping
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.research.environment import job_store
from esante.services.research.environment.model import (
    MAX_TEXT,
    JobEnded,
    JobKind,
    JobQueued,
    ResearchJob,
    ResearchJobState,
)
from esante.services.research.lake.model import Extraction, UseRefused
from esante.services.research.lake.service import Lake
from esante.services.research.outputs.model import Output
from esante.services.research.outputs.service import Outputs
from esante.services.research.permits.model import Permit, PermitFault, PermitKind
from esante.services.research.permits.rules import check_use, fault_of_time
from esante.services.research.permits.service import Permits

PAGE_SIZE = 20
MAX_OPEN = 5
"""Jobs of a permit that wait or run at the same time."""


class Environment:
    """Secure processing (Article 73): researchers under their permit, operators for an approved data request."""

    def __init__(self, db: Database, journal: Journal, permits: Permits, lake: Lake, outputs: Outputs) -> None:
        self._db, self._journal, self._permits = db, journal, permits
        self._lake, self._outputs = lake, outputs

    async def permit(self, requester: Requester, permit_id: UUID) -> Permit:
        """Return a permit of which the requester may see the environment, also one that is over.

        Raises: Problem 404, the same for a permit that does not exist and for one of others.
        """
        if requester.kind == "operator":
            permit: Permit | None = await self._permits.find(permit_id)
            if permit is not None and permit.kind is not PermitKind.REQUEST:
                permit = None
        else:
            permit = await self._permits.permit_for(requester.id, permit_id)
        if permit is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return permit

    async def usable(
        self, requester: Requester, permit_id: UUID, use: str, columns: Mapping[str, Collection[str]] | None = None
    ) -> Permit:
        """Return a permit under which the requester may do something now; a refusal is journalled.

        Raises: Problem 404, 403 with the article and the remedy.
        """
        permit = await self.permit(requester, permit_id)
        now = clock.now()
        if requester.kind == "operator":
            fault = fault_of_time(permit, now)
        else:
            fault = check_use(permit, requester.id, columns or {}, now)
        if fault is not None:
            await self._refuse(requester, permit_id, use, fault)
        return permit

    async def extractions(self, requester: Requester, permit_id: UUID) -> list[Extraction]:
        """Return the last extractions of a permit. Raises: Problem 404."""
        await self.permit(requester, permit_id)
        return await self._lake.latest(permit_id)

    async def extract(self, requester: Requester, permit_id: UUID) -> Extraction:
        """Begin to make the data of a permit, or to make them anew. Raises: Problem 404, 403, 409."""
        permit = await self.usable(requester, permit_id, "extract")
        return await self._lake.start(requester, permit)

    async def submit(
        self, requester: Requester, permit_id: UUID, kind: str, text: str, *, protect: bool
    ) -> ResearchJob:
        """Hand in a job. Raises: Problem 404, 403, 400 for a wrong text, 409 without data, 429 for too many."""
        await self.usable(requester, permit_id, "job")
        if kind not in set(JobKind):
            raise bad_request("kind", N_("Choose the language of the job."), code="value")
        text = text.replace("\r\n", "\n")
        if not text.strip() or len(text) > MAX_TEXT or "\0" in text:
            raise bad_request("text", N_("Enter a job of at most 100,000 characters."), code="value")
        if await self._lake.ready(permit_id) is None:
            remedy = N_("Have the data made first, and wait until they are ready.")
            raise Problem(409, "conflict", N_("There are no data for this permit yet."), remedy=remedy)
        if await job_store.count_open(self._db, permit_id) >= MAX_OPEN:
            remedy = N_("Wait for one to end, or cancel one.")
            raise Problem(429, "throttled", N_("Five jobs of this permit are waiting already."), remedy=remedy)
        job = ResearchJob(
            job_id=uuid7(),
            permit_id=permit_id,
            account_id=requester.id,
            account=requester.name,
            kind=JobKind(kind),
            text=text,
            protect=protect,
            state=ResearchJobState.WAITING,
            failure="",
            message="",
            line=0,
            created_at=clock.now(),
            started_at=None,
            ended_at=None,
        )
        event = JobQueued(job_id=job.job_id, permit_id=permit_id, kind=kind, text=text, protect=protect)
        await self._db.write([job_store.job_row(job), *self._journal.rows_for(requester, event)])
        return job

    async def jobs(
        self, requester: Requester, permit_id: UUID, text: str = "", cursor: str | None = None
    ) -> Page[ResearchJob]:
        """Return a page of the jobs of a permit, the latest first. Raises: Problem 404, 400 for a wrong cursor."""
        await self.permit(requester, permit_id)
        found = await job_store.fetch_jobs(
            self._db, permit_id, text.strip(), decode_uuid_cursor(cursor), PAGE_SIZE + 1
        )
        following = encode_cursor(found[PAGE_SIZE - 1].job_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], following)

    async def job(self, requester: Requester, permit_id: UUID, job_id: UUID) -> tuple[ResearchJob, list[Output], int]:
        """Return a job, what it handed over, and how many jobs come before it. Raises: Problem 404."""
        await self.permit(requester, permit_id)
        job = await job_store.fetch_job(self._db, permit_id, job_id)
        if job is None:
            raise Problem(404, "not-found", NOT_FOUND)
        before = 0 if job.state.is_over else await job_store.count_before(self._db, job)
        return job, await self._outputs.of_jobs([job_id]), before

    async def job_of_output(self, output: Output) -> ResearchJob:
        """Return the job that handed a table over, for who decides on it. Raises: Problem 404."""
        job = await job_store.fetch_job(self._db, output.permit_id, output.job_id)
        if job is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return job

    async def cancel(self, requester: Requester, permit_id: UUID, job_id: UUID) -> None:
        """Cancel a job that waits or runs; of one that is over nothing changes. Raises: Problem 404."""
        job, _, _ = await self.job(requester, permit_id, job_id)
        ended = job.ended(ResearchJobState.CANCELLED, clock.now())
        async with self._db.transaction() as conn:
            if await job_store.end_job(conn, ended):
                event = JobEnded(job_id=job_id, permit_id=permit_id, state=ended.state, failure="", extraction_id=None)
                await insert(conn, self._journal.rows_for(requester, event))

    async def download(self, requester: Requester, permit_id: UUID, output_id: UUID) -> Output:
        """Return a released table, also after the end of the permit, but not after its withdrawal.

        Raises: Problem 404, 403.
        """
        permit = await self.permit(requester, permit_id)
        fault = fault_of_time(permit, clock.now())
        if fault is not None and fault.code == "withdrawn":
            await self._refuse(requester, permit_id, "download", fault)
        return await self._outputs.download(requester, permit_id, output_id)

    async def _refuse(self, requester: Requester, permit_id: UUID, use: str, fault: PermitFault) -> None:
        """Journal a refusal, and raise it as Problem 403."""
        event = UseRefused(permit_id=permit_id, use=use, code=fault.code, article=fault.article, columns=fault.columns)
        await self._db.write(self._journal.rows_for(requester, event))
        detail = f"{fault.article}: {', '.join(fault.columns)}" if fault.columns else fault.article
        raise Problem(403, "forbidden", fault.title, detail=detail, remedy=fault.remedy)
