"""The move of past days from the database to files: written, read back, named in the database, then dropped there.

Every step may be broken off anywhere. The row of a file is written before the file, so no file is without a row. It
counts from the transaction that makes its row `complete`. A day is dropped from the database in the transaction that
finds as many events of each member in its complete files as in the database; it makes those files `final`. What was
being written when a process died is removed, and made again.
"""

import asyncio
import queue
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Objects, insert, uuid7
from esante.services.soc.hunting import archive_store
from esante.services.soc.hunting.event_columns import batch_of
from esante.services.soc.hunting.model import ArchiveFile, DayArchived, object_name, values_name
from esante.services.soc.hunting.parquet_file import FileFacts, write_sorted
from esante.services.soc.storage.days import drop_day
from esante.services.soc.storage.model import StoredEvent
from esante.services.soc.storage.service import EventStore

if TYPE_CHECKING:
    import pyarrow as pa

ABANDONED_AFTER = timedelta(hours=1)
"""How long a file may be written before it counts as left by a killed process."""


class Archive:
    """The files of past days; `hot_days`: days (UTC) that stay in the database beside today."""

    def __init__(self, db: Database, objects: Objects, journal: Journal, events: EventStore, hot_days: int) -> None:
        self._db, self._objects, self._journal, self._events = db, objects, journal, events
        self._hot_days = hot_days

    async def run(self) -> None:
        """Move the days that are due, and remove files that are not in use; one process at a time does it."""
        async with self._db.transaction() as conn:
            if not await archive_store.try_lock(conn):
                return
            await self.remove_unused()
            for day in await self._due():
                await self.move(day)

    async def move(self, day: date) -> None:
        """Move a day to files, and drop it from the database."""
        hot = await archive_store.count_hot(self._db, day)
        filed = await archive_store.fetch_rows_of_day(self._db, day)
        for tenant_id, rows in hot.items():
            if filed.get(tenant_id) != rows:
                await self._write(tenant_id, day)
        async with self._db.transaction() as conn:
            await archive_store.lock_day(conn, day)
            if await archive_store.count_hot(conn, day) == await archive_store.fetch_rows_of_day(conn, day):
                await archive_store.close_files(conn, day)
                await drop_day(conn, day)

    async def remove_unused(self, age: timedelta = ABANDONED_AFTER) -> None:
        """Remove the objects of files that were replaced, deleted or never completed, and then their rows."""
        for tenant_id, file_id in await archive_store.fetch_unfinished(self._db, age):
            await self._objects.remove_named(object_name(tenant_id, file_id))
            await self._objects.remove_named(values_name(tenant_id, file_id))
            await archive_store.delete_unfinished(self._db, tenant_id, file_id)

    async def _due(self) -> list[date]:
        last = clock.now().astimezone(UTC).date() - timedelta(days=self._hot_days)
        return [day for day in await self._events.days() if day < last]

    async def _write(self, tenant_id: UUID, day: date) -> None:
        """Write the events of a member and a day to a file, and make it the one that counts."""
        file_id = uuid7()
        await self._db.write([archive_store.writing_row(tenant_id, file_id, day)])
        with self._objects.incoming() as incoming, self._objects.incoming() as values:
            facts = await self._fill(tenant_id, day, Path(incoming.name), Path(values.name))
            await self._objects.put_file(object_name(tenant_id, file_id), incoming)
            await self._objects.put_file(values_name(tenant_id, file_id), values)
        file = archive_store.archive_file(tenant_id, file_id, day, facts)
        async with self._db.transaction() as conn:
            await self._complete(conn, file)

    async def _fill(self, tenant_id: UUID, day: date, path: Path, values: Path) -> FileFacts:
        """Write the events to a file while they are read, a few batches ahead at most."""
        batches: queue.Queue[list[StoredEvent] | None] = queue.Queue(maxsize=4)
        writing = asyncio.ensure_future(asyncio.to_thread(write_sorted, _drain(batches), path, values))
        try:
            async for batch in self._events.read(day, tenant_id):
                await _put(batches, batch, writing)
        finally:
            await _put(batches, None, writing)
        return await writing

    async def _complete(self, conn: Connection, file: ArchiveFile) -> None:
        await archive_store.complete(conn, file)
        event = DayArchived(tenant_id=file.tenant_id, day=file.day, rows=file.rows, sha256=file.sha256.hex())
        await insert(conn, self._journal.rows(event))


async def _put(
    batches: "queue.Queue[list[StoredEvent] | None]",
    batch: list[StoredEvent] | None,
    writing: "asyncio.Future[FileFacts]",
) -> None:
    """Hand a batch to the thread that writes, or nothing any more when it has ended."""
    while not writing.done():
        try:
            batches.put_nowait(batch)
            return
        except queue.Full:
            await asyncio.sleep(0.01)


def _drain(batches: "queue.Queue[list[StoredEvent] | None]") -> Iterator["pa.RecordBatch"]:
    while (batch := batches.get()) is not None:
        yield batch_of(batch)
