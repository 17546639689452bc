"""Deletion of studies: with their document, or with the whole record; their bytes some days later."""

from datetime import timedelta

from esante.core import clock
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection, Database, Objects
from esante.core.time_zone import day_of
from esante.identity.access import Disposition, StepOutcome
from esante.services.imaging.archive.deletion_store import (
    delete_studies,
    find_studies,
    find_studies_of_documents,
    take_removals,
)
from esante.services.record import ContentDeleted, retention_terms

_STUDIES, _OBJECTS = 20, 100
"""Studies and objects that are deleted at a time."""


class Deletion:
    """Deletes studies that the record has no more."""

    def __init__(self, db: Database, objects: Objects) -> None:
        self._db, self._objects = db, objects

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that follows the deletion of documents."""
        return Consumer("imaging.deletion", [ContentDeleted], self._follow)

    async def delete_record(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete studies of a person whose record is deleted, some at a time."""
        found = await find_studies(conn, disposition.person_id, _STUDIES)
        if not found:
            return StepOutcome(0, finished=True)
        count = await delete_studies(conn, disposition.person_id, found, clock.now())
        return StepOutcome(count, finished=False)

    async def remove_objects(self) -> int:
        """Remove the bytes whose time has come; return how many objects."""
        now, removed = clock.now(), 0
        before = now - timedelta(days=retention_terms(day_of(now)).object_days)
        while True:
            # The objects go before the rows: a removal that was broken off is found again.
            async with self._db.transaction() as conn:
                names = await take_removals(conn, before, _OBJECTS)
                for name in names:
                    await self._objects.remove_named(name)
            removed += len(names)
            if len(names) < _OBJECTS:
                return removed

    async def _follow(self, conn: Connection, entries: list[Entry]) -> None:
        for entry in entries:
            event = entry.event
            if isinstance(event, ContentDeleted) and event.documents:
                found = await find_studies_of_documents(conn, entry.person_id, event.documents)
                if found:
                    await delete_studies(conn, entry.person_id, found, clock.now())
