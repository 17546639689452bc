"""How many documents of each class there are, and of how many persons: counted in the background for simulations.

The count goes through the persons with a record in short transactions, so that it holds up nobody in a country. Who
asks works on it too, for `WAIT_SECONDS` at most: a small count is there at once.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from esante.core import clock
from esante.core.storage import Connection, Database, uuid7
from esante.identity.access.assignments import count_store

FRESH = timedelta(minutes=10)
"""For how long a count that has ended serves."""
WAIT_SECONDS = 2.0
"""For how long who asks waits for a count."""
BATCH = 2_000
"""Persons of one transaction."""


class ClassCount(NamedTuple):
    """The current documents of a class, and the persons whom they are about."""

    documents: int
    persons: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentCount:
    """A count: of `total` persons with a record, `done` are counted. `counts`: by document class."""

    id: UUID
    asked_at: datetime
    total: int
    done: int
    counts: Mapping[str, ClassCount]
    ended_at: datetime | None

    @property
    def percent(self) -> int:
        """How much is counted, in percent; at most 99 while it goes on."""
        return 100 if self.ended_at else min(99, 100 * self.done // max(1, self.total))

    def of(self, document_class: str) -> ClassCount:
        """Return the count of a class."""
        return self.counts.get(document_class, ClassCount(0, 0))


DocumentCounter = Callable[[Connection, Sequence[UUID]], Awaitable[Mapping[str, ClassCount]]]
"""Returns what there is of each document class of some persons."""


async def _count_nothing(conn: Connection, persons: Sequence[UUID]) -> Mapping[str, ClassCount]:
    return {}


class DocumentCounts:
    """Counts documents. `counter` is set by the package that holds them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.counter: DocumentCounter = _count_nothing

    async def ask(self) -> DocumentCount:
        """Return a count that is fresh, or else begin one and return it as far as it is after a short wait."""
        found = _count(await count_store.fetch_newest(self._db))
        if found is None or (found.ended_at and found.ended_at < clock.now() - FRESH):
            async with self._db.transaction() as conn:
                await count_store.begin(conn, uuid7(), clock.now())
        elif found.ended_at:
            return found
        await self.advance()
        newest = _count(await count_store.fetch_newest(self._db))
        assert newest is not None
        return newest

    async def advance(self) -> None:
        """Work on the count that runs, if there is one and nobody else does, for `WAIT_SECONDS` at most."""
        end = monotonic() + WAIT_SECONDS
        while await self._count_batch() and monotonic() < end:
            pass

    async def _count_batch(self) -> bool:
        """Count the next persons; return whether there may be more."""
        async with self._db.transaction() as conn:
            count = _count(row := await count_store.lock_running(conn))
            if row is None or count is None:
                return False
            persons = await count_store.fetch_persons(conn, row["after"], BATCH)
            if not persons:
                await count_store.finish(conn, count.id, clock.now())
                return False
            counts = dict(count.counts)
            for key, found in (await self.counter(conn, persons)).items():
                known = count.of(key)
                counts[key] = ClassCount(known.documents + found.documents, known.persons + found.persons)
            await count_store.save(conn, count.id, persons[-1], count.done + len(persons), counts)
        return True


def _count(row: Mapping[str, object] | None) -> DocumentCount | None:
    if row is None:
        return None
    values = {name: value for name, value in row.items() if name not in ("count_id", "after", "counts")}
    counts = {key: ClassCount(*pair) for key, pair in row["counts"].items()}  # type: ignore[attr-defined]
    return DocumentCount(id=row["count_id"], counts=counts, **values)  # type: ignore[arg-type]
