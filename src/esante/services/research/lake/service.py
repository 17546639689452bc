"""The use cases of extractions: begin one, work on it step by step, delete it."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.disclosure import fetch_uncounted
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, Unavailable, insert, uuid7
from esante.core.web import N_, Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.record import Record
from esante.services.research.datasets.catalogue import tables_by_name
from esante.services.research.datasets.model import PERSON, DatasetTable
from esante.services.research.lake import extraction_store
from esante.services.research.lake.folders import ExtractionFolders
from esante.services.research.lake.model import (
    Extraction,
    ExtractionEnded,
    ExtractionMade,
    ExtractionStarted,
    ExtractionState,
)
from esante.services.research.lake.patients import PATIENT, patients_of
from esante.services.research.lake.pseudonyms import PseudonymKey
from esante.services.research.opt_out.service import OptOuts
from esante.services.research.permits.model import Permit
from esante.services.research.permits.rules import fault_of_time
from esante.services.research.permits.service import Permits

log = logging.getLogger(__name__)
BATCH = 200
"""Persons of a step."""
MAX_FAILURES = 5
_IDLE_SECONDS = 1.0
_FAILED = N_("The extraction failed several times. Start it again, or ask the helpdesk.")
_BY_PERMIT = N_("The permit is over.")


class Lake:
    """Extractions: one for each permit, of what it covers, of those who did not opt out."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        record: Record,
        directory: Directory,
        permits: Permits,
        opt_outs: OptOuts,
        folders: ExtractionFolders,
        key: PseudonymKey,
    ) -> None:
        self._db, self._journal, self._record, self._directory = db, journal, record, directory
        self._permits, self._opt_outs, self._folders, self._key = permits, opt_outs, folders, key

    async def start(self, requester: Requester, permit: Permit) -> Extraction:
        """Begin an extraction of what a permit covers; the caller has decided that the requester may.

        Raises: Problem 409 when one is being made.
        """
        extraction = Extraction(
            extraction_id=uuid7(),
            permit_id=permit.permit_id,
            state=ExtractionState.RUNNING,
            place=NIL,
            parts=0,
            persons_done=0,
            persons_total=await self._record.secondary_use.count_persons(),
            persons=0,
            rows=0,
            left_out=0,
            failures=0,
            failure="",
            started_by=requester.name,
            started_at=clock.now(),
            as_of=None,
            ended_at=None,
        )
        event = ExtractionStarted(
            extraction_id=extraction.extraction_id,
            permit_id=permit.permit_id,
            columns={table: tuple(sorted(names)) for table, names in permit.columns.items()},
        )
        try:
            await self._db.write(
                [extraction_store.extraction_row(extraction), *self._journal.rows_for(requester, event)]
            )
        except UniqueViolationError as error:
            raise Problem(
                409,
                "conflict",
                N_("The data of this permit are being made already."),
                remedy=N_("Wait until they are ready."),
            ) from error
        return extraction

    async def latest(self, permit_id: UUID) -> list[Extraction]:
        """Return the last extractions of a permit, the latest first."""
        return await extraction_store.fetch_latest(self._db, permit_id)

    async def ready(self, permit_id: UUID) -> tuple[Extraction, Path] | None:
        """Return the extraction of a permit that is whole, with its folder; None where there is none."""
        for one in await self.latest(permit_id):
            if one.state is ExtractionState.DONE and (folder := self._folders.publish(one.extraction_id)):
                return one, folder
        return None

    async def run(self) -> None:
        """Work on extractions until cancelled."""
        while True:
            busy = False
            try:
                busy = await self.advance()
            except Unavailable:
                log.warning("extractions wait for the database")
            except Exception:
                log.exception("the work on extractions failed; it is tried again")
            if not busy:
                await asyncio.sleep(_IDLE_SECONDS)

    async def advance(self) -> bool:
        """Do one step of the extraction that waited longest; False where none is due."""
        async with self._db.transaction() as conn:
            extraction = await extraction_store.lock_next(conn, clock.now())
            if extraction is None:
                return False
            try:
                # A step that fails must not take the lock's transaction with it: it writes nothing but at its end.
                changed = await self._step(conn, extraction)
            except Unavailable:
                raise
            except Exception:
                log.exception("a step of the extraction %s failed", extraction.extraction_id)
                await self._fail(conn, extraction)
                return True
            await extraction_store.update(conn, changed, clock.now())
        if changed.state is ExtractionState.DONE:
            await self._remove_older(changed)
        return True

    async def tend(self) -> None:
        """Delete the extractions of permits that are over."""
        for one in await extraction_store.fetch_of_state(self._db, ExtractionState.DONE):
            with suppress(Problem):
                permit = await self._permits.find(one.permit_id)
                fault = fault_of_time(permit, clock.now())
                if fault is not None and fault.code in ("withdrawn", "expired"):
                    await self._end(one.extraction_id, "permit")

    async def _step(self, conn: Connection, extraction: Extraction) -> Extraction:
        permit = await self._permits.find(extraction.permit_id)
        if fault_of_time(permit, clock.now()) is not None:
            return await self._break_off(conn, extraction, "permit", _BY_PERMIT)
        tables = [one for name, one in tables_by_name().items() if name in permit.columns]
        if extraction.place == NIL and extraction.parts:
            return await self._finish(conn, extraction)
        folder = await asyncio.to_thread(self._folders.prepare, extraction.extraction_id, [one.name for one in tables])
        types = [one.resource for one in tables]
        batch = await self._record.secondary_use.read(types, extraction.place, BATCH)
        # As of now, and again before the whole is given out: who opts out between is removed then.
        out = await self._opt_outs.opted_out_among(conn, batch.persons, clock.now())
        out |= set(batch.persons) & await fetch_uncounted(conn)
        persons = [one for one in batch.persons if one not in out]
        resources = [one for one in batch.resources if one[0] not in out]
        if PATIENT in types:
            resources += await patients_of(self._directory, persons)
        counts = await asyncio.to_thread(self._write, folder, extraction.parts + 1, permit, tables, resources)
        return replace(
            extraction,
            place=batch.last or NIL,
            parts=extraction.parts + 1,
            persons_done=min(extraction.persons_total, extraction.persons_done + BATCH),
            persons=extraction.persons + counts[0],
            rows=extraction.rows + counts[1],
            left_out=extraction.left_out + len(out),
        )

    def _write(
        self,
        folder: Path,
        number: int,
        permit: Permit,
        tables: list[DatasetTable],
        resources: list[tuple[UUID, str, bytes]],
    ) -> tuple[int, int]:
        """Write a part of each table; return the number of persons in them, and of rows."""
        from esante.services.research.lake.part_files import write_part
        from esante.services.research.lake.rows import rows_of

        found = rows_of(tables, permit.columns, resources, self._key.of_permit(permit.permit_id))
        for name, rows in found.items():
            write_part(folder / name / f"{number:06d}.parquet", rows)
        persons = {person for rows in found.values() for person in rows[PERSON].to_pylist()}
        return len(persons), sum(map(len, found.values()))

    async def _finish(self, conn: Connection, extraction: Extraction) -> Extraction:
        """Apply the opt-outs as of now to what was written; the folder gets its name once this is stored."""
        from esante.services.research.lake.part_files import count_rows, pseudonyms_in, remove_persons

        at = clock.now()
        pseudonyms = self._key.of_permit(extraction.permit_id)
        out = pseudonyms.all_of(await self._opt_outs.opted_out(conn, at))
        folder = self._folders.growing(extraction.extraction_id)
        await asyncio.to_thread(remove_persons, folder, out)
        persons = len(await asyncio.to_thread(pseudonyms_in, folder))
        rows = await asyncio.to_thread(count_rows, folder)
        done = replace(
            extraction,
            state=ExtractionState.DONE,
            persons_done=extraction.persons_total,
            left_out=extraction.left_out + extraction.persons - persons,
            persons=persons,
            rows=rows,
            as_of=at,
            ended_at=at,
        )
        event = ExtractionMade(
            extraction_id=done.extraction_id,
            permit_id=done.permit_id,
            persons=done.persons,
            rows=done.rows,
            left_out=done.left_out,
            as_of=at,
        )
        await insert(conn, self._journal.rows(event))
        return done

    async def _fail(self, conn: Connection, extraction: Extraction) -> None:
        """Try again after 2 s, 4 s, 8 s and so on, a few times."""
        failures = extraction.failures + 1
        changed = replace(extraction, failures=failures)
        if failures >= MAX_FAILURES:
            changed = await self._break_off(conn, changed, "failed", _FAILED)
        await extraction_store.update(conn, changed, clock.now() + timedelta(seconds=2**failures))

    async def _break_off(self, conn: Connection, extraction: Extraction, cause: str, failure: str) -> Extraction:
        await asyncio.to_thread(self._folders.remove, extraction.extraction_id)
        event = ExtractionEnded(extraction_id=extraction.extraction_id, permit_id=extraction.permit_id, cause=cause)
        await insert(conn, self._journal.rows(event))
        return replace(extraction, state=ExtractionState.FAILED, failure=failure, ended_at=clock.now())

    async def _remove_older(self, extraction: Extraction) -> None:
        for one in await self.latest(extraction.permit_id):
            if one.extraction_id != extraction.extraction_id and one.state is ExtractionState.DONE:
                await self._end(one.extraction_id, "replaced")

    async def _end(self, extraction_id: UUID, cause: str) -> None:
        async with self._db.transaction() as conn:
            one = await extraction_store.lock_extraction(conn, extraction_id)
            if one is None or one.state is not ExtractionState.DONE:
                return
            event = ExtractionEnded(extraction_id=extraction_id, permit_id=one.permit_id, cause=cause)
            await extraction_store.update(conn, replace(one, state=ExtractionState.ENDED), clock.now())
            await insert(conn, self._journal.rows(event))
        await asyncio.to_thread(self._folders.remove, extraction_id)


def sandbox_tables(permit: Permit) -> Mapping[str, str]:
    """Return the tables of a permit by the names that statements use, each with its folder."""
    return {table.sql_name: name for name, table in tables_by_name().items() if name in permit.columns}
