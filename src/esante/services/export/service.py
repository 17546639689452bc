"""The use cases of exports: ask for one, see how far it is, fetch its files, cancel it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.core.journal import Event, Journal
from esante.core.storage import Database, Objects, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Access, Requester, opening_grant, principal_of
from esante.identity.directory import Directory
from esante.services.export import gzip_segments, store
from esante.services.export.groups import PROFESSIONALS, groups_of
from esante.services.export.kickoff import Wish
from esante.services.export.model import (
    OWN,
    Asked,
    Cursor,
    ExportAsked,
    ExportEnded,
    ExportFetched,
    ExportRefused,
    File,
    Job,
    Level,
    Query,
    State,
)
from esante.services.export.patient_sections import Pieces
from esante.services.export.policy import policy
from esante.services.export.rules import files
from esante.services.export.segment_writer import segment_name
from esante.services.export.worker import Worker
from esante.services.record import COPIED_TYPES, Record

SETTLING = timedelta(seconds=1)
"""How long the work waits before it begins: what was being written when the export was asked for is there by then."""
TYPES = frozenset({"Patient", *COPIED_TYPES})
NARROWED = COPIED_TYPES - {"DocumentReference", "Provenance"}
"""The types of which a token may cover a part."""
BUSY = 5
"""Seconds after which who has too many exports is told to ask again."""
_NEVER = datetime.max.replace(tzinfo=UTC)


class Exports:
    """Copies of many resources as files. What a requester may not see is in none, and nothing tells of it.

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
        self._pieces = Pieces(directory, record.extracts, journal, base_url)
        self.worker = Worker(db, objects, journal, access, record.extracts, self._pieces)

    @property
    def sections(self) -> int:
        """The sections into which the work on a person is divided."""
        return self._pieces.sections

    async def types(self, requester: Requester) -> frozenset[str]:
        """The types that are exported for a requester. Problem 403 for who is given no health data."""
        if requester.kind == "patient":
            return TYPES | {OWN}
        if requester.kind in PROFESSIONALS:
            return TYPES
        told = ExportRefused(allowed=False, rule="requester.kind", reason="not-treating")
        await self._journal.append(told, actor=requester.actor, origin=requester.origin)
        raise Problem(
            403,
            "forbidden",
            N_("Health data is exported for patients and for those who treat them only."),
            remedy=N_("Sign in as one of them."),
        )

    async def ask(
        self, requester: Requester, wish: Wish, request: str, *, level: Level, subject: UUID | None = None
    ) -> Job:
        """Begin an export; `request` is the address by which it was asked for.

        Problem 403 (types that the token does not cover), 404 (no such person or group for the requester), 429 (too
        many at a time).
        """
        types = await self._covered(requester, wish)
        await self._must_be_there(requester, level, subject)
        now = _milliseconds(datetime.now(UTC))
        asked = Asked(
            principal=principal_of(requester),
            origin=requester.origin,
            level=level,
            subject=subject,
            types=types,
            since=wish.since,
            at=now,
            request=request,
            ignored=wish.ignored,
        )
        return await self._begin(requester, asked, now)

    async def _begin(self, requester: Requester, asked: Asked, now: datetime) -> Job:
        job = Job(
            id=uuid7(),
            owner=owner_of(requester),
            asked=asked,
            state=State.RUNNING,
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
        told = ExportAsked(job_id=job.id, level=asked.level.value, types=tuple(asked.types))
        async with self._db.transaction() as conn:
            await store.lock_owner(conn, job.owner)
            _check_number(await store.of_owner(conn, job.owner, now), now)
            await insert(conn, [store.new_row(job, now + SETTLING), *self._rows(told, requester, job)])
        return job

    async def _covered(self, requester: Requester, wish: Wish) -> dict[str, list[Query]]:
        """The types of a wish that the token covers, with the queries to which it restricts them."""
        found: dict[str, list[Query]] = {}
        for type_ in sorted(await self.types(requester) if wish.types is None else wish.types):
            queries = self._access.covered_queries(requester, type_, "rs")
            if queries == [()] or (queries and type_ in NARROWED):
                found[type_] = queries
            elif wish.types is not None:
                await self._access.require_scope(requester, type_, "rs")
        if not found:
            await self._access.require_scope(requester, "Patient", "rs")
        return found

    async def _must_be_there(self, requester: Requester, level: Level, subject: UUID | None) -> None:
        """Problem 404 for a group or person that is not there for the requester; she is told of it."""
        if level is Level.GROUP and subject not in groups_of(requester):
            raise absent()
        if level is not Level.PERSON:
            return
        assert subject is not None
        if requester.kind == "patient":
            allowed = subject == requester.id
        else:
            consent = await self._access.consent(subject)
            allowed = opening_grant(consent, requester, datetime.now(UTC)) is not None
        if not allowed:
            told = ExportRefused(allowed=False, rule="no-grant", reason="no-grant")
            who = requester.actor
            await self._journal.append(told, person_id=subject, actor=who, origin=requester.origin)
            raise absent()

    # What became of it

    async def jobs(self, requester: Requester) -> list[Job]:
        """The requester's exports, the newest first."""
        return await store.of_owner(self._db, owner_of(requester), datetime.now(UTC))

    async def job(self, requester: Requester, job_id: UUID) -> Job:
        """An export of the requester's own. Problem 404."""
        job = await store.one(self._db, job_id)
        over = job is None or job.state is State.CANCELLED or (job.expires_at or _NEVER) <= datetime.now(UTC)
        if job is None or over or job.owner != owner_of(requester):
            raise absent()
        return job

    async def polled(self, job: Job) -> None:
        """Note that somebody asks how far an export at work is; Problem 429 for who asks too often."""
        now = datetime.now(UTC)
        apart = policy(now.date()).poll
        if not await store.polled(self._db, job.id, now, apart):
            raise Problem(
                429,
                "throttled",
                N_("You ask too often how far it is."),
                remedy=N_("Wait as long as Retry-After says, and longer each time."),
                headers={"Retry-After": str(max(1, int(apart.total_seconds())))},
            )

    async def files(self, job: Job) -> list[File]:
        """The files of an export."""
        return files(await store.segments(self._db, job.id))

    async def fetch(self, requester: Requester, job_id: UUID, name: str) -> tuple[Job, File]:
        """A file of a finished export, journalled as fetched. Problem 404; 403 where the token does not cover it."""
        job = await self.job(requester, job_id)
        found = next((file for file in await self.files(job) if file.name == name), None)
        if found is None or job.state is not State.DONE:
            raise absent()
        if (
            found.kind == "output"
            and self._access.covered_queries(requester, found.type, "rs") != job.asked.types[found.type]
        ):
            await self._access.require_scope(requester, found.type, "rs")
        told = ExportFetched(job_id=job.id, file=name)
        await self._db.write(self._rows(told, requester, job))
        return job, found

    async def packed(self, job: Job, file: File) -> AsyncIterator[bytes]:
        """A file compressed (gzip), as its bytes are stored; `packed_size` says how many."""
        yield gzip_segments.HEAD
        for segment in file.segments:
            yield await self._objects.get_named(segment_name(job, segment.number))
        yield gzip_segments.tail((segment.size, segment.crc) for segment in file.segments)

    async def lines(self, job: Job, file: File) -> AsyncIterator[bytes]:
        """A file, segment by segment. Raises ValueError when one is damaged."""
        for segment in file.segments:
            stored = await self._objects.get_named(segment_name(job, segment.number))
            yield await asyncio.to_thread(gzip_segments.unpack, stored, segment.crc)

    async def cancel(self, requester: Requester, job_id: UUID) -> None:
        """End an export, finished or not, and remove its files. Problem 404."""
        job = await self.job(requester, job_id)
        told = ExportEnded(job_id=job.id, how=State.CANCELLED.value, persons=job.done)
        if not await self._cancelled(job, self._rows(told, requester, job)):
            raise absent()

    # For the operator

    async def all(self) -> list[Job]:
        """Every export, the newest first."""
        return await store.all_jobs(self._db)

    async def end(self, job_id: UUID) -> bool:
        """End an export of whomever; False when there is none."""
        job = await store.one(self._db, job_id)
        if job is None:
            return False
        told = ExportEnded(job_id=job.id, how=State.CANCELLED.value, persons=job.done)
        return await self._cancelled(job, self._journal.rows(told, person_id=job.asked.person_id))

    async def _cancelled(self, job: Job, told: list[Row]) -> bool:
        async with self._db.transaction() as conn:
            if not await store.cancel(conn, job.id, datetime.now(UTC)):
                return False
            await insert(conn, told)
        await self.worker.remove_over()  # where it is being worked on, that is done after
        return True

    def _rows(self, event: Event, requester: Requester, job: Job) -> list[Row]:
        person_id = job.asked.person_id
        return self._journal.rows(event, person_id=person_id, actor=requester.actor, origin=requester.origin)


def packed_size(file: File) -> int:
    """The bytes of a file compressed."""
    return len(gzip_segments.HEAD) + sum(segment.stored for segment in file.segments) + gzip_segments.TAIL_SIZE


def owner_of(requester: Requester) -> str:
    """Whose an export is: everything by which one who asks differs from another."""
    parts = (requester.kind, requester.id, requester.organization_id, requester.patient, requester.client)
    return " ".join(str(part or "-") for part in parts)


def absent() -> Problem:
    """What is answered for what is not there, and for what is not for the requester."""
    return Problem(404, "not-found", NOT_FOUND)


def _milliseconds(at: datetime) -> datetime:
    """A moment as exact as FHIR's instants are told, so that what is told is what was meant."""
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def _check_number(jobs: Sequence[Job], now: datetime) -> None:
    terms = policy(now.date())
    running = sum(job.state is State.RUNNING for job in jobs)
    if running >= terms.running_jobs:
        remedy = N_("Wait until one is finished, or cancel one.")
    elif len(jobs) >= terms.kept_jobs:
        remedy = N_("Delete exports whose files you have fetched.")
    else:
        return
    retry = {"Retry-After": str(BUSY)}
    raise Problem(429, "throttled", N_("You have too many exports."), remedy=remedy, headers=retry)
