"""Which entries are of one person by a merge that is in force: asked at every edge of the platform, so in memory."""

import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from esante.core.storage import Database
from esante.identity.directory.merging import merge_store
from esante.identity.directory.merging.model import MergeLinks
from esante.identity.directory.model import Person
from esante.identity.directory.store import fetch_persons

REFRESH_SECONDS = 1.0
"""For how long a process uses the relation that it has read; what it changes itself counts at once."""


class MergeRelation:
    """Leads from the entries that lost in a merge to the surviving one, and back."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._checked, self._version = float("-inf"), -1
        self._survivors: Mapping[UUID, UUID] = {}
        self._losing: dict[UUID, tuple[UUID, ...]] = {}

    def forget(self) -> None:
        """Read the relation again before it is used next."""
        self._checked = float("-inf")

    async def surviving(self, person_id: UUID) -> UUID:
        """Return the entry to which an entry leads: the surviving one, or itself."""
        await self._refresh()
        return self._survivors.get(person_id, person_id)

    async def volumes(self, person_id: UUID) -> tuple[UUID, ...]:
        """Return all entries of the person of an entry, the surviving one first; one never merged stands alone."""
        survivor = await self.surviving(person_id)
        return (survivor, *self._losing.get(survivor, ()))

    async def lead(self, persons: Sequence[Person]) -> list[Person]:
        """Return the entries to which some entries lead, in their order, each once."""
        await self._refresh()
        leads = {person.id: self._survivors.get(person.id, person.id) for person in persons}
        known = {person.id: person for person in persons}
        if missing := set(leads.values()) - known.keys():
            known |= {person.id: person for person in await fetch_persons(self._db, list(missing))}
        return [known[key] for key in dict.fromkeys(leads.values()) if key in known]

    async def links(self, person_id: UUID) -> MergeLinks:
        """Return where an entry leads, and which entries lead to it."""
        await self._refresh()
        return MergeLinks(self._survivors.get(person_id), self._losing.get(person_id, ()))

    async def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._checked < REFRESH_SECONDS:
            return
        version = await merge_store.fetch_version(self._db)
        if version != self._version:
            survivors = await merge_store.fetch_relation(self._db)
            losing: dict[UUID, tuple[UUID, ...]] = {}
            for lost, survivor in sorted(survivors.items()):
                losing[survivor] = (*losing.get(survivor, ()), lost)
            self._survivors, self._losing, self._version = survivors, losing, version
        self._checked = now
