"""The search of files and of the database by one statement: by DuckDB, in threads, within memory, to be broken off."""

import asyncio
import heapq
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from esante.core.storage import Connection, Database, Objects
from esante.services.soc.hunting import archive_store, query_store
from esante.services.soc.hunting.event_columns import batch_of
from esante.services.soc.hunting.model import ArchiveFile, FoundEvent, Hunt
from esante.services.soc.hunting.parquet_file import engine
from esante.services.soc.storage.days import list_days
from esante.services.soc.storage.model import StoredEvent
from esante.services.soc.storage.service import EventStore

if TYPE_CHECKING:
    import pyarrow as pa

MAX_FOUND = 1_000
"""The newest matches that are kept; all are counted."""
HOT_BATCHES = 25
GROUP_ROWS = 12_000_000
"""Events of the files that are searched by one statement; after each the progress is kept."""


@dataclass(slots=True)
class Result:
    """What has been found so far."""

    rows_done: int = 0
    rows_total: int = 0
    matches: int = 0
    hours: Counter[datetime] = field(default_factory=Counter)
    newest: list[tuple[datetime, str, UUID, str]] = field(default_factory=list)

    def found(self) -> list[FoundEvent]:
        """Return the newest matches, the newest first."""
        return [
            FoundEvent(tenant_id, event_id, at, orjson.loads(event))
            for at, event_id, tenant_id, event in sorted(self.newest, reverse=True)
        ]

    def add(self, part: "Result") -> None:
        """Add what was found in a part of the events."""
        self.rows_done += part.rows_done
        self.matches += part.matches
        self.hours += part.hours
        if part.newest is not self.newest:
            for one in part.newest:
                self._keep(one)

    def oldest_kept(self) -> datetime | None:
        """Return the time of the oldest match that is kept when no more are."""
        return self.newest[0][0] if len(self.newest) == MAX_FOUND else None

    def keep(self, tenant_id: UUID, rows: Sequence[tuple[str, datetime, str]]) -> None:
        """Keep matches when they are among the newest."""
        for event_id, at, event in rows:
            self._keep((at.replace(tzinfo=UTC), event_id, tenant_id, event))

    def _keep(self, one: tuple[datetime, str, UUID, str]) -> None:
        if len(self.newest) < MAX_FOUND:
            heapq.heappush(self.newest, one)
        else:
            heapq.heappushpop(self.newest, one)


class HuntSearch:
    """Searches the events of members; `folder`: where files of a remote object store are kept meanwhile."""

    def __init__(self, db: Database, objects: Objects, events: EventStore, folder: Path) -> None:
        self._db, self._objects, self._events, self._folder = db, objects, events, folder

    async def run(self, tenant_id: UUID | None, hunt: Hunt) -> AsyncIterator[Result]:
        """Search the events of a member (None: of all); yield the same result after each part of the work.

        Only files of that member are opened.
        """
        async with self._db.transaction("repeatable_read") as conn:
            files = await archive_store.fetch_files(conn, tenant_id, hunt.since, hunt.until)
            hot = await _hot(conn, tenant_id, hunt)
        result = Result(rows_total=sum(one.rows for one in files) + sum(rows for *_, rows in hot))
        yield result
        for day, owner, rows in hot:
            if not await self._search_hot(result, day, owner, rows, hunt):
                moved = await archive_store.fetch_files(self._db, owner, hunt.since, hunt.until)
                files += [one for one in moved if one.day == day]
            yield result
        for group in _groups(files):
            await self._search_files(result, group, hunt)
            yield result

    async def _search_hot(self, result: Result, day: date, owner: UUID, rows: int, hunt: Hunt) -> bool:
        """Search the events of a member and a day in the database; False, and nothing found, when they were moved."""
        import pyarrow as pa

        found = Result()
        async for batches in _large(self._events.read(day, owner)):
            found.rows_done += sum(batch.num_rows for batch in batches)
            await _in_thread(_search_table, pa.Table.from_batches(batches), hunt, found, owner)
        if found.rows_done < rows:
            return False
        result.add(found)
        return True

    async def _search_files(self, result: Result, files: Sequence[ArchiveFile], hunt: Hunt) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="hunted-") as copies:
            found = Result(rows_done=sum(one.rows for one in files), newest=result.newest)
            conditions = query_store.values_conditions(hunt)
            if conditions:
                values = {str(await self._objects.path_of(one.values_name, Path(copies))): one for one in files}
                files = await _in_thread(_holders, values, conditions)
            paths = {str(await self._objects.path_of(one.name, Path(copies))): one for one in files}
            if paths:
                await _in_thread(_search_paths, paths, hunt, found)
        result.add(found)


async def _hot(conn: Connection, tenant_id: UUID | None, hunt: Hunt) -> list[tuple[date, UUID, int]]:
    """Return day, member and number of events that are in the database and in no file, the newest day first.

    Events may have happened before the day of their receipt, and by clocks that are a little ahead, after it.
    """
    found = []
    for day in reversed(await list_days(conn)):
        if day < hunt.since.astimezone(UTC).date() - timedelta(days=1):
            break
        filed = await archive_store.fetch_rows_of_day(conn, day)
        for owner, rows in (await archive_store.count_hot(conn, day)).items():
            if owner not in filed and tenant_id in (None, owner):
                found.append((day, owner, rows))
    return found


async def _large(batches: AsyncIterator[list[StoredEvent]]) -> AsyncIterator[list["pa.RecordBatch"]]:
    """Yield batches of events as columns, some together: an engine for each would cost more than its search."""
    together: list[pa.RecordBatch] = []
    async for batch in batches:
        together.append(await asyncio.to_thread(batch_of, batch))
        if len(together) == HOT_BATCHES:
            yield together
            together = []
    if together:
        yield together


async def _in_thread(search: Any, *arguments: Any) -> Any:
    """Return what a search in a thread returns; when the task is cancelled, its engine is interrupted first."""
    engines: list[Any] = []
    working = asyncio.ensure_future(asyncio.to_thread(search, engines, *arguments))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        for conn in engines:
            conn.interrupt()
        await asyncio.gather(working, return_exceptions=True)
        raise


def _search_table(engines: list[Any], table: "pa.Table", hunt: Hunt, result: Result, owner: UUID) -> None:
    condition, values = query_store.where(hunt)
    with engine([]) as conn:
        engines.append(conn)
        conn.register("hot", table)
        counts = conn.execute(query_store.count_statement(query_store.TABLE_SOURCE, condition), values).fetchall()
        _count(result, counts)
        if counts:
            _keep_newest(conn, query_store.TABLE_SOURCE, hunt, result, owner)


def _holders(engines: list[Any], values: dict[str, ArchiveFile], conditions: Sequence[Any]) -> list[ArchiveFile]:
    """Return the files that may have a match, by their different values."""
    left = [*values]
    with engine(left) as conn:
        engines.append(conn)
        for condition, parameters in conditions:
            if left:
                statement = query_store.holders_statement(left, condition)
                left = [path for (path,) in conn.execute(statement, parameters).fetchall()]
    return [one for path, one in values.items() if path in set(left)]


def _search_paths(engines: list[Any], paths: dict[str, ArchiveFile], hunt: Hunt, result: Result) -> None:
    condition, values = query_store.where(hunt)
    with engine([*paths]) as conn:
        engines.append(conn)
        source = query_store.files_source([*paths])
        counts = conn.execute(query_store.count_statement(source, condition), values).fetchall()
        _count(result, counts)
        newest = {path: max(hour for name, hour, _ in counts if name == path) for path in {row[0] for row in counts}}
        for path in sorted(newest, key=lambda path: newest[path], reverse=True):
            oldest = result.oldest_kept()
            if oldest is None or newest[path].replace(tzinfo=UTC) + timedelta(hours=1) > oldest:
                _keep_newest(conn, query_store.files_source([path]), hunt, result, paths[path].tenant_id)


def _keep_newest(conn: Any, source: str, hunt: Hunt, result: Result, owner: UUID) -> None:
    condition, values = query_store.where(hunt)
    statement = query_store.rows_statement(source, condition)
    result.keep(owner, conn.execute(statement, [*values, MAX_FOUND]).fetchall())


def _count(result: Result, rows: Sequence[tuple[str, datetime, int]]) -> None:
    for _, hour, count in rows:
        result.hours[hour.replace(tzinfo=UTC)] += count
        result.matches += count


def _groups(files: Sequence[ArchiveFile]) -> list[list[ArchiveFile]]:
    groups: list[list[ArchiveFile]] = []
    size = GROUP_ROWS
    for one in files:
        if size >= GROUP_ROWS:
            groups.append([])
            size = 0
        groups[-1].append(one)
        size += one.rows
    return groups
