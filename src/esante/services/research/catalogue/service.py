"""The use cases of the catalogue: count the datasets step by step, show them with what may be known of them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from uuid import UUID

from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.disclosure import fetch_uncounted, rule_on
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, Unavailable, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem
from esante.identity.directory import Directory
from esante.services.record import Record
from esante.services.research.catalogue import measurement_store, rules
from esante.services.research.catalogue.model import CatalogueMeasured, Entry, Measurement, TableFigures
from esante.services.research.catalogue.quality import quality_on
from esante.services.research.datasets.catalogue import load_datasets, tables_by_name
from esante.services.research.lake.patients import PATIENT, patients_of
from esante.services.research.lake.pseudonyms import Pseudonyms
from esante.services.research.opt_out.service import OptOuts

log = logging.getLogger(__name__)
BATCH = 200
"""Persons of a step."""
_PAUSE, _IDLE_SECONDS = 0.1, 60.0
_TYPES = sorted({table.resource for dataset in load_datasets() for table in dataset.tables})


class Catalogue:
    """The catalogue. The figures are of those who did not opt out, at the time of the measurement."""

    def __init__(
        self, db: Database, journal: Journal, record: Record, directory: Directory, opt_outs: OptOuts
    ) -> None:
        self._db, self._journal, self._record = db, journal, record
        self._directory, self._opt_outs = directory, opt_outs
        self._counting: ProcessPoolExecutor | None = None

    async def close(self) -> None:
        """End the process that counts, if there is one."""
        counting, self._counting = self._counting, None
        if counting is not None:
            await asyncio.to_thread(counting.shutdown, cancel_futures=True)

    async def entries(self, text: str = "", language: str = "en") -> list[Entry]:
        """Return the datasets with every word of a search in their titles, descriptions or columns."""
        measurement, words = await measurement_store.find_latest(self._db), text.casefold().split()
        return [
            self._entry(one.name, measurement)
            for one in load_datasets()
            if all(word in _text_of(one.name, language) for word in words)
        ]

    async def entry(self, name: str) -> Entry:
        """Return a dataset. Raises: Problem 404."""
        if name not in {one.name for one in load_datasets()}:
            raise Problem(404, "not-found", NOT_FOUND)
        return self._entry(name, await measurement_store.find_latest(self._db))

    async def progress(self) -> int | None:
        """Return how much of a measurement is done, in per cent; None while none is being made."""
        running = await measurement_store.find_running(self._db)
        if running is None:
            return None
        return min(99, 100 * running.persons_done // max(running.persons_total, 1))

    def _entry(self, name: str, measurement: Measurement | None) -> Entry:
        dataset = next(one for one in load_datasets() if one.name == name)
        return rules.entry_of(dataset, measurement, rule_on(today()), quality_on(today()), today())

    async def _count(
        self, known: Mapping[str, TableFigures], resources: Sequence[tuple[UUID, str, bytes]]
    ) -> dict[str, TableFigures]:
        """Count resources in a process of its own: its libraries take a hundred MB, which the server is spared."""
        if self._counting is None:
            self._counting = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        step = partial(count_resources, known, resources, f"{today():%Y-%m}")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._counting, step)
        except BrokenProcessPool:
            await self.close()
            raise

    async def run(self) -> None:
        """Measure whenever the figures are old, until cancelled; in one process at a time."""
        while True:
            busy = False
            try:
                busy = await self.advance() or await self.start_if_due()
            except Unavailable:
                log.warning("the measurement of the datasets waits for the database")
            except Exception:
                log.exception("a step of the measurement of the datasets failed; it is tried again")
            await asyncio.sleep(_PAUSE if busy else _IDLE_SECONDS)

    async def start_if_due(self) -> bool:
        """Begin a measurement where the figures are old and none is being made; return whether one began."""
        last, now = await measurement_store.find_latest(self._db), clock.now()
        due = last is None or last.ended_at is None or now - last.ended_at >= quality_on(today()).measure_after
        return due and await self.start()

    async def start(self) -> bool:
        """Begin a measurement; return False when one is being made."""
        new = Measurement(
            measurement_id=uuid7(),
            started_at=clock.now(),
            ended_at=None,
            place=NIL,
            persons_done=0,
            persons_total=await self._record.secondary_use.count_persons(),
            persons=0,
            figures={},
        )
        try:
            async with self._db.transaction() as conn:
                await insert(conn, [measurement_store.measurement_row(new)])
        except UniqueViolationError:
            return False
        return True

    async def advance(self) -> bool:
        """Do one step of the measurement that is being made; return False where there is none, or it is not free."""
        async with self._db.transaction() as conn:
            running = await measurement_store.lock_running(conn)
            if running is None or running.place is None:
                await self.close()
                return False
            batch = await self._record.secondary_use.read(_TYPES, running.place, BATCH)
            out = await self._opt_outs.opted_out_among(conn, batch.persons, clock.now())
            out |= await fetch_uncounted(conn)
            persons = [one for one in batch.persons if one not in out]
            resources = [one for one in batch.resources if one[0] not in out]
            if PATIENT in _TYPES:
                resources += await patients_of(self._directory, persons)
            figures = await self._count(running.figures, resources)
            changed = replace(
                running,
                place=batch.last,
                ended_at=None if batch.last else clock.now(),
                persons_done=running.persons_done + BATCH,
                persons=running.persons + len(persons),
                figures=figures,
            )
            await measurement_store.update(conn, changed)
            if changed.ended_at is not None:
                await self._end(conn, changed)
        return True

    async def _end(self, conn: Connection, measurement: Measurement) -> None:
        await measurement_store.delete_older(conn, measurement)
        event = CatalogueMeasured(measurement_id=measurement.measurement_id, persons=measurement.persons)
        await insert(conn, self._journal.rows(event))


def count_resources(
    known: Mapping[str, TableFigures], resources: Sequence[tuple[UUID, str, bytes]], this_month: str
) -> dict[str, TableFigures]:
    """Return figures with the rows of more resources (person, type, body) in all tables."""
    from esante.services.research.lake.rows import rows_of

    tables = tables_by_name()
    covered = {name: table.column_names for name, table in tables.items()}
    # The pseudonyms live for this step only: they tell persons apart within it.
    rows = rows_of(list(tables.values()), covered, resources, Pseudonyms(uuid7().bytes))
    return {
        name: rules.count(
            known.get(name, TableFigures()), rows[name].to_pylist(), rules.month_column(table), this_month
        )
        for name, table in tables.items()
    }


def _text_of(name: str, language: str) -> str:
    """Return the words of a dataset in which a search looks, in small letters."""
    dataset = next(one for one in load_datasets() if one.name == name)
    titles = [dataset.titles, dataset.descriptions, *(table.titles for table in dataset.tables)]
    titles += [column.titles for table in dataset.tables for column in table.columns]
    return " ".join(one.get(language, "") for one in titles).casefold()
