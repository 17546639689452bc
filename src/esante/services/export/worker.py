"""The work on exports: one worker in every process, each takes the job that waited longest and does a piece of it.

A piece of work is one transaction: what was written, how far that is, and the entries that tell each person of it. The
objects are on disk before; after a crash their names are written again. So every line is there exactly once.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic, thread_time
from uuid import UUID

import orjson

from esante.core.fhir import Issue, operation_outcome
from esante.core.journal import Actor, Journal
from esante.core.storage import Connection, Database, Objects, Row, Unavailable, insert
from esante.core.web import readable
from esante.identity.access import Access, Requester, requester_in
from esante.services.export import rules, store
from esante.services.export.model import Copied, ExportEnded, Job, Level, Line, State
from esante.services.export.patient_sections import Piece, Pieces
from esante.services.export.policy import policy
from esante.services.export.segment_writer import Batch
from esante.services.record import Extracts

log = logging.getLogger(__name__)
INTERVAL = 0.5
SLICE = 2.0
"""Seconds of a piece of work; then another job has its turn."""
TIDY = 60.0
GRACE = timedelta(minutes=10)
"""How long files outlive their end, for who is fetching one at that moment."""
MOST_FAILURES = 6
PERSONS = 100
"""Persons that are looked up at once."""


class Worker:
    """Works on jobs, and removes those that are over."""

    def __init__(
        self, db: Database, objects: Objects, journal: Journal, access: Access, extracts: Extracts, pieces: Pieces
    ) -> None:
        self._db, self._objects, self._journal = db, objects, journal
        self._access, self._extracts, self._pieces = access, extracts, pieces

    async def run(self) -> None:
        """Work for ever; a database or an object store that is gone is waited for."""
        tidied = 0.0
        while True:
            busy = False
            try:
                busy = await self.advance()
                await self.remove_over()
                if monotonic() - tidied > TIDY:
                    await self.tidy()
                    tidied = monotonic()
            except Unavailable:
                log.warning("exports wait for the database or the object store")
            except Exception:
                log.exception("exports failed; it is tried again")
            if not busy:
                await asyncio.sleep(INTERVAL)

    async def advance(self) -> bool:
        """Do a piece of the job whose turn it is; False when there is none."""
        job: Job | None = None
        try:
            async with self._db.transaction() as conn:
                job = await store.take(conn, datetime.now(UTC))
                if job is not None:
                    await self._piece(conn, job)
        except Unavailable:
            raise
        except Exception as error:
            if job is None:
                raise
            log.exception("export %s failed; it is tried again", job.id)
            await self._put_off(job, error)
        return job is not None

    async def remove_over(self) -> None:
        """Remove the jobs that were cancelled or have expired, with their files."""
        while await self._remove_one(datetime.now(UTC) - GRACE):
            pass

    async def tidy(self) -> None:
        """Remove files of no job, which a process that was killed may have left."""
        folders = {key for name in await self._objects.folders("export") if (key := _key(name)) is not None}
        for job_id in folders - await store.known(self._db, list(folders)):
            await self._objects.remove_folder(f"export/{job_id.hex}")

    # A piece of work

    async def _piece(self, conn: Connection, job: Job) -> None:
        requester = await self._access.again(requester_in(job.asked.principal, job.asked.origin))
        if requester is None:  # gone, or disabled: nothing more is copied
            await self._keep(conn, replace(job, total=job.total or 0), Batch(), through=True)
            return
        batch = Batch()
        if job.total is None:
            job = replace(job, total=await self._number(job, requester))
            batch = Batch(_ignored(job))
        end, through = monotonic() + SLICE, True
        async for piece in self._pieces_of(job, requester):
            batch.add(piece)
            done = job.done + (piece.cursor.section < 0)
            job = replace(job, cursor=piece.cursor, done=done)
            if batch.full or monotonic() > end:
                through = False
                break
            await give_way()
        await self._keep(conn, job, batch, through=through)

    async def _keep(self, conn: Connection, job: Job, batch: Batch, *, through: bool) -> None:
        """Write what was gathered, and how far the job is; nothing of a job that was cancelled meanwhile."""
        if await store.is_cancelled(conn, job.id):
            return
        segments = await batch.write(self._objects, job)
        rows: list[Row] = store.segment_rows(job.id, segments)
        for taken in batch.persons:
            about = {"job_id": job.id, "count": taken.count}
            rows += self._extracts.told(Copied, taken.view, taken.categories, (), **about)
        now = datetime.now(UTC)
        job = replace(job, segments=job.segments + len(segments))
        if through:
            job = replace(job, state=State.DONE, ended_at=now, expires_at=now + policy(now.date()).keep)
            rows += self._ended(job, State.DONE.value)
        await insert(conn, rows)
        await store.move(conn, job, now)

    async def _pieces_of(self, job: Job, requester: Requester) -> AsyncIterator[Piece]:
        """The pieces of a job from its cursor on, person by person."""
        person_id = job.cursor.person_id
        if job.cursor.section >= 0:
            async for piece in self._pieces.of_person(job, requester, person_id):
                yield piece
        while following := await self._persons(job, requester, person_id):
            for person_id in following:
                async for piece in self._pieces.of_person(job, requester, person_id):
                    yield piece

    async def _persons(self, job: Job, requester: Requester, after: UUID) -> list[UUID]:
        """The next persons of a job, by key: those of whom the requester may see anything now."""
        only = requester.id if requester.kind == "patient" else None
        if job.asked.level is Level.PERSON:
            only = job.asked.subject
        if only is not None:
            return [only] if only > after else []
        return await self._access.grants.persons(requester, _group(job), after=after, limit=PERSONS)

    async def _number(self, job: Job, requester: Requester) -> int:
        if requester.kind == "patient" or job.asked.level is Level.PERSON:
            return 1
        return await self._access.grants.number(requester, _group(job))

    # What goes wrong, and the end

    async def _put_off(self, job: Job, error: Exception) -> None:
        """Try again later and later: 2 s, 4 s, 8 s …; at last no more."""
        now = datetime.now(UTC)
        again, until = now + timedelta(seconds=2 ** (job.failures + 1)), now + policy(now.date()).keep
        async with self._db.transaction() as conn:
            name = type(error).__name__
            state = await store.put_off(conn, job.id, name, again, most=MOST_FAILURES, expires_at=until)
            if state is State.FAILED:
                await insert(conn, self._ended(job, State.FAILED.value))

    async def _remove_one(self, before: datetime) -> bool:
        async with self._db.transaction() as conn:
            job = await store.over(conn, before)
            if job is None:
                return False
            await self._objects.remove_folder(job.folder)
            await store.remove(conn, job.id)
            if job.state is not State.CANCELLED:  # that was told by whoever cancelled it
                await insert(conn, self._ended(job, "expired"))
        return True

    def _ended(self, job: Job, how: str) -> list[Row]:
        told = ExportEnded(job_id=job.id, how=how, persons=job.done)
        actor = Actor(kind="system", name="esante", client=job.asked.principal.get("client", ""))
        return self._journal.rows(told, person_id=job.asked.person_id, actor=actor)


async def give_way() -> None:
    """Let requests of this process go before: the longer they keep it busy, the longer the work waits."""
    before = thread_time()
    await asyncio.sleep(0)
    if pause := rules.pause(thread_time() - before):
        await asyncio.sleep(pause)


def _key(name: str) -> UUID | None:
    """The job whose folder has a name."""
    try:
        return UUID(hex=name)
    except ValueError:
        return None


def _group(job: Job) -> UUID | None:
    return job.asked.subject if job.asked.level is Level.GROUP else None


def _ignored(job: Job) -> list[Line]:
    """What is to be said of parameters that were ignored: an OperationOutcome of each (Bulk Data, "error")."""
    names = map(readable, job.asked.ignored)
    issues = [Issue("warning", "not-supported", name, f"The parameter {name} was ignored.") for name in names]
    return [Line("OperationOutcome", orjson.dumps(operation_outcome([issue])), kind="error") for issue in issues]
