"""The events of the last days: append, read by day, search, drop."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.storage import Connection, Database
from esante.services.soc.storage import days, event_store
from esante.services.soc.storage.blocks import MAX_EVENTS, pack_block, unpack_block
from esante.services.soc.storage.model import EventQuery, StoredEvent
from esante.services.soc.tenants.model import Scope

DAYS_AHEAD = 3
READ_BATCH = 2_000
"""Events of a batch that is read."""


class EventStore:
    """The hot storage."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: set[date] = set()

    async def days(self) -> list[date]:
        """Return the days of receipt (UTC) that there is storage for, the oldest first; some lie ahead."""
        return await days.list_days(self._db)

    async def prepare_days(self, at: datetime | None = None) -> None:
        """Create the storage of today and of the next days where it is missing."""
        first = (at or clock.now()).astimezone(UTC).date()
        async with self._db.transaction() as conn:
            await days.create_days(conn, first, first + timedelta(days=DAYS_AHEAD))
        self._known |= {first + timedelta(days=number) for number in range(DAYS_AHEAD + 1)}

    async def drop(self, day: date) -> None:
        """Drop all events of a day of receipt."""
        async with self._db.transaction() as conn:
            await days.drop_day(conn, day)
        self._known.discard(day)

    async def delete(self, tenant_id: UUID) -> int:
        """Delete all events of a member; return how many."""
        async with self._db.transaction() as conn:
            return await event_store.delete_of_tenant(conn, tenant_id)

    async def append(self, conn: Connection, events: Sequence[StoredEvent]) -> None:
        """Store events in a transaction; days for which there is no storage get it before (`prepare_days`)."""
        rows, blocks = [], []
        for group in _groups(events):
            block_id = group[0].event_id
            blocks.append((block_id, group[0].tenant_id, pack_block(one.content for one in group)))
            rows += [_row(one, block_id, place) for place, one in enumerate(group)]
        await event_store.copy(conn, event_store.BLOCK, blocks)
        await event_store.copy(conn, event_store.EVENT, rows)

    async def prepare_for(self, events: Iterable[StoredEvent]) -> None:
        """Create the storage of the days of some events where this process does not know that there is one."""
        for day in {one.received_at.date() for one in events} - self._known:
            await self.prepare_days(datetime(day.year, day.month, day.day, tzinfo=UTC))

    async def read(self, day: date, tenant_id: UUID | None = None) -> AsyncIterator[list[StoredEvent]]:
        """Yield the events that were received on a day, of one member or of all, in batches by time of receipt."""
        last: UUID | None = None
        while rows := await event_store.fetch_day(self._db, day, tenant_id, last, READ_BATCH):
            yield await self._with_contents(rows)
            last = rows[-1]["event_id"]

    async def search(
        self, scope: Scope, query: EventQuery, before: UUID | None = None, limit: int = 50
    ) -> list[StoredEvent]:
        """Return events of a scope that a query asks for, newest first; `before`: last key of the page before."""
        return await self._with_contents(await event_store.fetch_page(self._db, scope, query, before, limit))

    async def find(self, scope: Scope, event_id: UUID) -> StoredEvent | None:
        """Return an event of a scope, None where there is none."""
        found = await self._with_contents(await event_store.fetch_event(self._db, scope, event_id))
        return found[0] if found else None

    async def _with_contents(self, rows: Sequence[Any]) -> list[StoredEvent]:
        contents = await event_store.fetch_blocks(self._db, list({row["block_id"] for row in rows}))
        unpacked = {block_id: unpack_block(content) for block_id, content in contents.items()}
        # A block is absent only when its day was dropped in between.
        return [_event(row, unpacked[row["block_id"]][row["place"]]) for row in rows if row["block_id"] in unpacked]


def _groups(events: Sequence[StoredEvent]) -> list[list[StoredEvent]]:
    """Return events divided into blocks: of one member and one day, not too many."""
    by_tenant: dict[tuple[UUID, date], list[StoredEvent]] = defaultdict(list)
    for one in events:
        by_tenant[one.tenant_id, one.received_at.date()].append(one)
    return [
        group[start : start + MAX_EVENTS] for group in by_tenant.values() for start in range(0, len(group), MAX_EVENTS)
    ]


def _row(one: StoredEvent, block_id: UUID, place: int) -> tuple[Any, ...]:
    return (
        one.event_id,
        one.tenant_id,
        one.source_id,
        one.received_at,
        one.occurred_at,
        one.clock_is_off,
        one.class_uid,
        one.severity,
        one.key,
        one.host,
        one.user,
        one.ip,
        one.summary,
        "\n".join(one.rules),
        one.fault,
        block_id,
        place,
    )


def _event(row: Any, content: bytes) -> StoredEvent:
    return StoredEvent(
        event_id=row["event_id"],
        tenant_id=row["tenant_id"],
        source_id=row["source_id"],
        received_at=row["received_at"],
        occurred_at=row["occurred_at"],
        clock_is_off=row["clock_is_off"],
        class_uid=row["class_uid"],
        severity=row["severity"],
        key=row["key"],
        host=row["host"],
        user=row["user_name"],
        ip=row["ip"],
        summary=row["summary"],
        rules=tuple(row["rules"].split("\n")) if row["rules"] else (),
        fault=row["fault"],
        content=content,
    )
