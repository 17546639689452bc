"""The use cases of notices: made from the journal, shown, marked as read."""

from datetime import UTC, datetime
from uuid import UUID

from esante.core.journal import Consumer, Entry, Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, Page, Problem, decode_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.notices import store
from esante.services.notices.model import KINDS, Notice, NoticesRead
from esante.services.notices.rules import TOLD_OF, notice_of


class Notices:
    """What the persons of the platform are told."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    @property
    def reader(self) -> Consumer:
        """The journal reader that makes the notices, each exactly once."""
        return Consumer("notices", TOLD_OF, _tell)

    async def page(self, person_id: UUID, cursor: str | None = None, limit: int = 20) -> Page[Notice]:
        """A page of a person's notices, newest first. Raises Problem 400 for a wrong cursor."""
        before = _place(cursor) if cursor else None
        found = await store.page(self._db, person_id, before, limit + 1)
        more = encode_cursor(found[limit - 1].id.hex) if len(found) > limit else None
        return Page(found[:limit], more)

    async def unread(self, person_id: UUID, limit: int = 20) -> list[Notice]:
        """A person's unread notices, the urgent ones first, then newest first."""
        urgent = [key for key, kind in KINDS.items() if kind.urgent]
        return await store.unread(self._db, person_id, urgent, limit)

    async def mark_read(self, requester: Requester, upto: UUID, *, only: bool = False) -> int:
        """Mark the requester's own notices up to one as read, or `only` that one; returns how many."""
        mark = store.mark_one_read if only else store.mark_read
        async with self._db.transaction() as conn:
            count = await mark(conn, requester.id, upto, datetime.now(UTC))
            if count:
                told = NoticesRead(count=count)
                rows = self._journal.rows(told, person_id=requester.id, actor=requester.actor, origin=requester.origin)
                await insert(conn, rows)
        return count


async def _tell(conn: Connection, entries: list[Entry]) -> None:
    made = [store.row(notice) for entry in entries if (notice := notice_of(entry)) is not None]
    await insert(conn, made)


def _place(cursor: str) -> UUID:
    try:
        return UUID(str(decode_cursor(cursor, str)[0]))
    except ValueError as error:
        raise Problem(400, "invalid", N_("This page of the list does not exist.")) from error
