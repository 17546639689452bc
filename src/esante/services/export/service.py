"""The use cases of exports: kick-off, progress, files, cancellation."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import Database, JobState, Objects, Row, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Access, Requester, opening_grant, principal_of
from esante.identity.directory import Directory
from esante.services.export import store
from esante.services.export.groups import PROFESSIONAL_KINDS, group_owners
from esante.services.export.kickoff import ExportParams
from esante.services.export.model import (
    AUDIT_TYPE,
    Cursor,
    ExportEnded,
    ExportFile,
    ExportFileFetched,
    ExportLevel,
    ExportRefused,
    ExportRequest,
    ExportRequested,
    Job,
    Query,
)
from esante.services.export.policy import policy_on
from esante.services.export.rules import group_into_files
from esante.services.export.segments import gzip_segments
from esante.services.export.segments.patient_sections import PatientSections
from esante.services.export.segments.segment_writer import segment_name
from esante.services.export.worker import ExportWorker
from esante.services.record import COPIED_TYPES, Record

SETTLING = timedelta(seconds=1)
"""The delay before the work begins: writes that were under way at the kick-off are visible by then."""
TYPES = frozenset({"Patient", *COPIED_TYPES})
"""The resource types that are exported for everybody."""
RESTRICTABLE_TYPES = COPIED_TYPES - {"DocumentReference", "Provenance"}
"""The types of which a token may cover a part (by a query in its scope)."""
LIMIT_RETRY_SECONDS = 5
"""Retry-After for a client that has too many exports."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class Exports:
    """Exports of many resources as files. Data that a requester may not see leaves no trace in their files.

    `worker` does the work. `base_url`: the platform's address as clients know it.
    """

    def __init__(
        self,
        db: Database,
        objects: Objects,
        journal: Journal,
        directory: Directory,
        access: Access,
        record: Record,
        base_url: str,
    ) -> None:
        self._db, self._objects, self._journal, self._access = db, objects, journal, access
        self._patient_sections = PatientSections(directory, record.extracts, journal, base_url)
        self.worker = ExportWorker(db, objects, journal, access, record.extracts, self._patient_sections)

    @property
    def sections(self) -> int:
        """The number of sections into which the work on a person is divided."""
        return self._patient_sections.count

    async def types_for(self, requester: Requester) -> frozenset[str]:
        """Return the types that a requester can export. Raises: `Problem` 403 for roles without health data."""
        if requester.kind == "patient":
            return TYPES | {AUDIT_TYPE}
        if requester.kind in PROFESSIONAL_KINDS:
            return TYPES
        refused = ExportRefused(allowed=False, rule="requester.kind", reason="not-treating")
        await self._journal.append_for(requester, refused)
        raise Problem(
            403,
            "forbidden",
            N_("Only patients, and the professionals who treat them, can export health data."),
            remedy=N_("Sign in as a patient or as a professional who treats them."),
        )

    async def kick_off(
        self, requester: Requester, params: ExportParams, url: str, *, level: ExportLevel, subject: UUID | None = None
    ) -> Job:
        """Begin an export; `url` is the address of the kick-off, `subject` the person or group of these levels.

        Raises: `Problem` 403 (types that the token does not cover), 404 (no such person or group for the requester),
        429 (too many exports at a time).
        """
        types = await self._covered_types(requester, params)
        await self._require_subject(requester, level, subject)
        now = _truncate_to_milliseconds(clock.now())
        request = ExportRequest(
            principal=principal_of(requester),
            origin=requester.origin,
            level=level,
            subject=subject,
            types=types,
            since=params.since,
            at=now,
            request=url,
            ignored=params.ignored,
        )
        return await self._create_job(requester, request, now)

    async def _create_job(self, requester: Requester, request: ExportRequest, now: datetime) -> Job:
        job = Job(
            id=uuid7(),
            owner=owner_key(requester),
            request=request,
            state=JobState.RUNNING,
            asked_at=now,
            cursor=Cursor(),
            total=None,
            done=0,
            segments=0,
            failures=0,
            last_error="",
            ended_at=None,
            expires_at=None,
        )
        requested = ExportRequested(job_id=job.id, level=request.level.value, types=tuple(request.types))
        async with self._db.transaction() as conn:
            await store.lock_owner(conn, job.owner)
            _check_limits(await store.fetch_jobs_of(conn, job.owner, now), now)
            await insert(conn, [store.job_row(job, now + SETTLING), *self._rows(requested, requester, job)])
        return job

    async def _covered_types(self, requester: Requester, params: ExportParams) -> dict[str, list[Query]]:
        """Return the requested types that the token covers, with the queries to which it restricts each.

        Raises: `Problem` 403 when it does not cover a type that was named, or covers none at all.
        """
        covered: dict[str, list[Query]] = {}
        for type_ in sorted(await self.types_for(requester) if params.types is None else params.types):
            queries = self._access.covered_queries(requester, type_, "rs")
            if queries == [()] or (queries and type_ in RESTRICTABLE_TYPES):
                covered[type_] = queries
            elif params.types is not None:
                await self._access.require_scope(requester, type_, "rs")
        if not covered:
            await self._access.require_scope(requester, "Patient", "rs")
        return covered

    async def _require_subject(self, requester: Requester, level: ExportLevel, subject: UUID | None) -> None:
        """Check that the requester may export a group or person; the refusal of a person goes into their access log.

        Raises: `Problem` 404, ValueError when the level needs a person and there is none.
        """
        if level is ExportLevel.GROUP and subject not in group_owners(requester):
            raise not_found()
        if level is not ExportLevel.PERSON:
            return
        if subject is None:
            raise ValueError("an export of a single patient needs their id as subject")
        if requester.kind == "patient":
            allowed = subject == requester.id
        else:
            consent = await self._access.consent(subject)
            allowed = opening_grant(consent, requester, clock.now()) is not None
        if not allowed:
            refused = ExportRefused(allowed=False, rule="no-grant", reason="no-grant")
            await self._journal.append_for(requester, refused, person_id=subject)
            raise not_found()

    # Progress and files

    async def jobs(self, requester: Requester) -> list[Job]:
        """Return the requester's exports, newest first."""
        return await store.fetch_jobs_of(self._db, owner_key(requester), clock.now())

    async def job(self, requester: Requester, job_id: UUID) -> Job:
        """Return one of the requester's exports. Raises: `Problem` 404."""
        job = await store.fetch_job(self._db, job_id)
        ended = job is None or job.state is JobState.CANCELLED or (job.expires_at or _NEVER) <= clock.now()
        if job is None or ended or job.owner != owner_key(requester):
            raise not_found()
        return job

    async def record_poll(self, job: Job) -> None:
        """Record that a client asks for the state of a running export. Raises: `Problem` 429 when asked too often."""
        now = clock.now()
        min_interval = policy_on(day_of(now)).poll
        if not await store.record_poll(self._db, job.id, now, min_interval):
            raise Problem(
                429,
                "throttled",
                N_("You are checking progress too often."),
                remedy=N_("Wait for the time given in Retry-After, and longer each time."),
                headers={"Retry-After": str(max(1, int(min_interval.total_seconds())))},
            )

    async def files(self, job: Job) -> list[ExportFile]:
        """Return the files of an export."""
        return group_into_files(await store.fetch_segments(self._db, job.id))

    async def fetch_file(self, requester: Requester, job_id: UUID, name: str) -> tuple[Job, ExportFile]:
        """Return a file of a finished export, and write the journal entry that it was fetched.

        Raises: `Problem` 404; 403 when the token does not cover the file's type.
        """
        job = await self.job(requester, job_id)
        file = next((file for file in await self.files(job) if file.name == name), None)
        if file is None or job.state is not JobState.DONE:
            raise not_found()
        if (
            file.kind == "output"
            and self._access.covered_queries(requester, file.type, "rs") != job.request.types[file.type]
        ):
            await self._access.require_scope(requester, file.type, "rs")
        await self._db.write(self._rows(ExportFileFetched(job_id=job.id, file=name), requester, job))
        return job, file

    async def stream_gzip(self, job: Job, file: ExportFile) -> AsyncIterator[bytes]:
        """Yield a file compressed with gzip, as it is stored; `gzip_size` is the number of bytes."""
        yield gzip_segments.GZIP_HEADER
        for segment in file.segments:
            yield await self._objects.get_named(segment_name(job, segment.number))
        yield gzip_segments.gzip_trailer((segment.size, segment.crc) for segment in file.segments)

    async def stream_lines(self, job: Job, file: ExportFile) -> AsyncIterator[bytes]:
        """Yield a file as NDJSON, segment by segment. Raises: ValueError when a segment is damaged."""
        for segment in file.segments:
            stored = await self._objects.get_named(segment_name(job, segment.number))
            yield await asyncio.to_thread(gzip_segments.decompress_segment, stored, segment.crc)

    async def cancel(self, requester: Requester, job_id: UUID) -> None:
        """Cancel an export, finished or not, and remove its files. Raises: `Problem` 404."""
        job = await self.job(requester, job_id)
        ended = ExportEnded(job_id=job.id, how=JobState.CANCELLED.value, persons=job.done)
        if not await self._cancel(job, self._rows(ended, requester, job)):
            raise not_found()

    # For operators

    async def all_jobs(self) -> list[Job]:
        """Return every export, newest first."""
        return await store.fetch_all_jobs(self._db)

    async def end(self, job_id: UUID) -> bool:
        """Cancel an export of any owner; False when there is none."""
        job = await store.fetch_job(self._db, job_id)
        if job is None:
            return False
        ended = ExportEnded(job_id=job.id, how=JobState.CANCELLED.value, persons=job.done)
        return await self._cancel(job, self._journal.rows(ended, person_id=job.request.person_id))

    async def _cancel(self, job: Job, rows: list[Row]) -> bool:
        async with self._db.transaction() as conn:
            if not await store.mark_cancelled(conn, job.id, clock.now()):
                return False
            await insert(conn, rows)
        await self.worker.remove_ended()  # a job that is being worked on is removed after that
        return True

    def _rows(self, event: Event, requester: Requester, job: Job) -> list[Row]:
        return self._journal.rows_for(requester, event, person_id=job.request.person_id)


def gzip_size(file: ExportFile) -> int:
    """Return the size in bytes of a file compressed with gzip."""
    stored = sum(segment.stored for segment in file.segments)
    return len(gzip_segments.GZIP_HEADER) + stored + gzip_segments.TRAILER_SIZE


def owner_key(requester: Requester) -> str:
    """Return the owner of a requester's exports: everything that distinguishes one requester from another."""
    parts = (requester.kind, requester.id, requester.organization_id, requester.patient, requester.client)
    return " ".join(str(part or "-") for part in parts)


def not_found() -> Problem:
    """Return the same refusal for what does not exist and for what the requester may not see."""
    return Problem(404, "not-found", NOT_FOUND)


def _truncate_to_milliseconds(at: datetime) -> datetime:
    """Return a time with the precision of the FHIR instants in which clients see it and send it back."""
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def _check_limits(jobs: Sequence[Job], now: datetime) -> None:
    """Raise `Problem` 429 when an owner with these jobs may not begin another one."""
    policy = policy_on(day_of(now))
    running = sum(job.state is JobState.RUNNING for job in jobs)
    if running >= policy.running_jobs:
        remedy = N_("Wait until an export is finished, or cancel one.")
    elif len(jobs) >= policy.kept_jobs:
        remedy = N_("Delete exports you have already downloaded.")
    else:
        return
    headers = {"Retry-After": str(LIMIT_RETRY_SECONDS)}
    raise Problem(429, "throttled", N_("You have too many exports."), remedy=remedy, headers=headers)
