"""Delete fee notes, and what was paid for them, after their time of keeping (data/note_retention.toml).

The notes of a provider code go together, in one transaction, and only where that leaves the books right: every
payment of them has ended, and what was owed back for some of them was netted by others of them. Until then they wait.
"""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Journal
from esante.core.storage import Database, Objects, Row, insert
from esante.core.time_zone import day_of
from esante.services.billing.note.limits import kept_for, shortest_keeping
from esante.services.billing.note.service import body_name
from esante.services.billing.retention import retention_store
from esante.services.billing.retention.model import NotesDeleted, OldNote


class NoteRetention:
    """The end of all fee notes."""

    def __init__(self, db: Database, objects: Objects, journal: Journal) -> None:
        self._db, self._objects, self._journal = db, objects, journal

    async def delete_due(self) -> int:
        """Delete the notes whose time of keeping is over; return how many. A repetition does no harm."""
        before = clock.now() - shortest_keeping()
        codes = await retention_store.fetch_providers(self._db, before)
        return sum([await self._delete(code, before) for code in codes])

    async def _delete(self, provider_code: str, before: datetime) -> int:
        """Delete what is due of a provider code; return how many notes.

        Large bodies go first: where the transaction then fails, it is done again, and nobody reads them any more.
        """
        now = clock.now()
        async with self._db.transaction() as conn:
            found = await retention_store.lock_old(conn, provider_code, before)
            due = [one for one in found if one.received_at + kept_for(day_of(one.received_at)) <= now]
            if not due or not await retention_store.books_allow(conn, due):
                return 0
            for digest in await retention_store.delete(conn, provider_code, due):
                await self._objects.remove_named(body_name(digest))
            await insert(conn, self._rows(provider_code, due))
        return len(due)

    def _rows(self, provider_code: str, notes: list[OldNote]) -> list[Row]:
        of_persons: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for one in notes:
            of_persons[one.person_id].append(one.note_id)
        return [
            row
            for person_id, ids in of_persons.items()
            for row in self._journal.rows(
                NotesDeleted(note_ids=tuple(ids), provider_code=provider_code), person_id=person_id, actor=SYSTEM
            )
        ]
