"""The use cases of notices: made from the journal, listed, marked as read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from esante.contract import NoticeKind
from esante.core import clock
from esante.core.journal import Consumer, Entry, Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import NOT_FOUND, Page, Problem, decode_uuid_cursor, encode_cursor
from esante.identity.access import Disposition, Requester, StepOutcome
from esante.identity.directory import MergeRelation, PersonsMerged, PersonsSeparated
from esante.services.notices import store
from esante.services.notices.model import Notice, NoticesRead
from esante.services.notices.rules import make_notice

_DELETED_AT_ONCE = 500
MOST_COUNTED = 100


class Notices:
    """The notices of the persons, of the declared kinds.

    `merges`: notices about a merged entry of the directory go to the surviving one.
    """

    def __init__(
        self, db: Database, journal: Journal, kinds: Sequence[NoticeKind], merges: MergeRelation | None = None
    ) -> None:
        self._db, self._journal, self._merges = db, journal, merges
        self._kinds: Mapping[str, NoticeKind] = {kind.name: kind for kind in kinds}

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that makes the notices, each exactly once."""
        kinds = self._kinds.values()
        events = [*(kind.event for kind in kinds), *(kind.settled_by for kind in kinds if kind.settled_by)]
        return Consumer("notices", [*dict.fromkeys(events)], self._handle)

    async def page(self, person_id: UUID, cursor: str | None = None, limit: int = 20) -> Page[Notice]:
        """Return a page of a person's notices, newest first. Raises: `Problem` 400 for a wrong cursor."""
        found = await store.page(self._db, person_id, decode_uuid_cursor(cursor), limit + 1, self._kinds)
        more = encode_cursor(found[limit - 1].id) if len(found) > limit else None
        return Page(found[:limit], more)

    async def unread(self, person_id: UUID, limit: int = 20) -> list[Notice]:
        """Return a person's unread notices, the urgent ones first, then newest first."""
        urgent = [name for name, kind in self._kinds.items() if kind.urgent]
        return await store.unread(self._db, person_id, urgent, limit, self._kinds)

    async def count_unread(self, person_id: UUID) -> int:
        """Return how many notices a person has not read; at most `MOST_COUNTED`."""
        return await store.count_unread(self._db, person_id, [*self._kinds], MOST_COUNTED)

    async def open(self, requester: Requester, notice_id: UUID) -> Notice:
        """Return one of the requester's own notices, and mark it as read. Raises: `Problem` 404."""
        found = await store.find(self._db, requester.id, notice_id, self._kinds)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        if found.read_at is None:
            await self.mark_read(requester, notice_id, only=True)
        return found

    async def mark_read(self, requester: Requester, upto: UUID, *, only: bool = False) -> int:
        """Mark the requester's own notices up to one as read, or `only` that one; return how many."""
        mark = store.mark_one_read if only else store.mark_read
        async with self._db.transaction() as conn:
            count = await mark(conn, requester.id, upto, clock.now())
            if count:
                await self._journal.append_for(requester, NoticesRead(count=count), person_id=requester.id, conn=conn)
        return count

    async def delete_some(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete some of a person's notices, when their record is deleted."""
        deleted = await store.delete_some(conn, disposition.person_id, _DELETED_AT_ONCE)
        return StepOutcome(deleted, finished=deleted < _DELETED_AT_ONCE)

    async def _handle(self, conn: Connection, entries: list[Entry]) -> None:
        entries = [await self._of_survivor(entry) for entry in entries]
        made = (make_notice(entry, self._kinds.values()) for entry in entries)
        await insert(conn, [store.row(notice) for notice in made if notice is not None])
        for entry in entries:
            for kind in self._kinds.values():
                if kind.settled_by is not None and isinstance(entry.event, kind.settled_by):
                    await store.settle(conn, entry.person_id, kind.name, entry.at)

    async def _of_survivor(self, entry: Entry) -> Entry:
        """Return an entry as of the person who reads its notice; of a merge itself both entries get a notice."""
        if self._merges is None or isinstance(entry.event, (PersonsMerged, PersonsSeparated)):
            return entry
        return replace(entry, person_id=await self._merges.surviving(entry.person_id))
