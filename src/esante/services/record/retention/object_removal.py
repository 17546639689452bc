"""Removal of contents from the object store that no document has any more.

A content is named by its bytes, so documents of several persons may share it. It is removed some days after a document
with it was deleted, if none has it then; the days are for a copy of the database that was made before. A deposit of
the same bytes begins that time anew before it stores them, so it never loses them to a removal.
"""

from datetime import timedelta

from esante.core import clock
from esante.core.storage import Database, Objects
from esante.core.time_zone import day_of
from esante.services.record.retention import store
from esante.services.record.retention.terms import retention_terms


class ObjectRemoval:
    """Removes contents; may run in several processes."""

    def __init__(self, db: Database, objects: Objects) -> None:
        self._db, self._objects = db, objects

    async def run(self) -> int:
        """Remove all contents whose time has come; return how many."""
        removed, now = 0, clock.now()
        before = now - timedelta(days=retention_terms(day_of(now)).object_days)
        while True:
            async with self._db.transaction() as conn:
                digest = await store.lock_removal(conn, before)
                if digest is None:
                    return removed
                if not await store.is_referred_to(conn, digest):
                    await self._objects.remove(digest)
                    removed += 1
                await store.forget_removal(conn, digest)

    async def keep_for_deposit(self, digest: bytes) -> None:
        """Let a content that is about to be stored not be removed meanwhile."""
        await store.delay_removal(self._db, digest, clock.now())
