"""The use cases of marks: propose, confirm by a second operator, end. Nobody is marked by one person alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import msgspec
from asyncpg import UniqueViolationError

from esante.core import clock
from esante.core.disclosure import uncounted_row
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert, uuid8
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_offset_cursor,
    encode_cursor,
)
from esante.identity.access import Access, Requester, require_operator
from esante.identity.directory import Directory, Person
from esante.services.soc.health.context.people import Mark
from esante.services.soc.health.lists import mark_store
from esante.services.soc.health.lists.model import MarkChanged, MarkedPerson, MarksListed

PAGE_SIZE = 50
SHORTEST_REASON, LONGEST_REASON = 10, 500
"""Characters."""


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """A mark with the name of its person ("" where the directory does not have them yet)."""

    mark: MarkedPerson
    name: str


class MarkLists:
    """The watch list, and the invented persons."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, access: Access) -> None:
        self._db, self._journal, self._directory, self._access = db, journal, directory, access

    async def listed(self, requester: Requester, mark: Mark) -> Sequence[ListedPerson]:
        """Return everybody with a mark, the newest first, also what is proposed and ended; journal that it was seen.

        Raises: Problem 403 for a requester who is not an operator.
        """
        require_operator(requester)
        marks = await mark_store.fetch_all(self._db, mark)
        await self._journal.append_for(requester, MarksListed(mark=mark.value, count=len(marks)))
        persons = await self._directory.persons({one.person_id for one in marks})
        return [ListedPerson(one, persons[one.person_id].name if one.person_id in persons else "") for one in marks]

    async def page(
        self, requester: Requester, mark: Mark, text: str = "", cursor: str | None = None
    ) -> Page[ListedPerson]:
        """Return a page of the list; `text`: a part of name, reason, or who decided. Raises: Problem 403."""
        skip, wanted = decode_offset_cursor(cursor), text.strip().lower()
        found = [
            one
            for one in await self.listed(requester, mark)
            if wanted in f"{one.name} {one.mark.reason} {one.mark.proposed_by} {one.mark.confirmed_by or ''}".lower()
        ]
        more = len(found) > skip + PAGE_SIZE
        return Page(found[skip : skip + PAGE_SIZE], encode_cursor(skip + PAGE_SIZE) if more else None)

    async def propose_watch_of(self, requester: Requester, identifier: str, reason: str) -> MarkedPerson:
        """Propose to watch the record of the person with an identifier.

        Raises: as `propose_watch`, and Problem 400 where nobody, or not only one person, has it.
        """
        require_operator(requester)
        person = await self._directory.find_person(None, identifier.strip()[:100]) if identifier.strip() else None
        if person is None:
            raise bad_request("identifier", N_("Nobody, or not only one person, has this identifier."), code="value")
        return await self.propose_watch(requester, person.id, reason)

    async def propose_watch(self, requester: Requester, person_id: UUID, reason: str) -> MarkedPerson:
        """Propose to watch a person's record. Raises: Problem 403, 404, 400 for the reason, 409 where it is marked."""
        require_operator(requester)
        if await self._directory.person(person_id) is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return await self._propose(requester, person_id, Mark.WATCHED, reason, [])

    async def propose_invented(self, requester: Requester, person: Person, reason: str) -> MarkedPerson:
        """Propose an invented person; they are registered once another operator confirms.

        Raises: Problem 403, 400 for the reason.
        """
        require_operator(requester)
        entry = msgspec.json.encode(person).decode()
        rows = [mark_store.invented_row(person.id, entry)]
        return await self._propose(requester, person.id, Mark.INVENTED, reason, rows)

    async def confirm(self, requester: Requester, person_id: UUID, mark: Mark) -> None:
        """Confirm what another operator proposed; an invented person is then registered, and their letter recorded.

        Repeating it for an invented person completes what was broken off.
        Raises: Problem 403, 404, 409 for the person who proposed it and for what is in force.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            found = await self._find(conn, person_id, mark)
            if found.proposed_by.casefold() == requester.name.casefold():
                raise Problem(
                    409,
                    "conflict",
                    N_("You proposed this yourself."),
                    remedy=N_("Ask a second person to confirm it."),
                )
            if found.confirmed_at is None:
                await mark_store.confirm(conn, found, requester.name, clock.now())
                rows = self._rows(requester, person_id, mark, "confirmed")
                await insert(conn, rows + ([uncounted_row(person_id)] if mark is Mark.INVENTED else []))
            elif mark is Mark.WATCHED or await self._directory.person(person_id) is not None:
                raise Problem(409, "conflict", N_("This is confirmed already."))
        if mark is Mark.INVENTED:
            await self._register(person_id)

    async def end(self, requester: Requester, person_id: UUID, mark: Mark) -> None:
        """End a mark, or withdraw a proposal; one operator may. Raises: Problem 403, 404, 409 where it has ended."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            found = await self._find(conn, person_id, mark)
            await mark_store.end(conn, found, requester.name, clock.now())
            await insert(conn, self._rows(requester, person_id, mark, "ended"))

    async def delete_of_person(self, conn: Connection, person_id: UUID) -> int:
        """Delete the watch of a person whose record is deleted."""
        return await mark_store.delete_of_person(conn, person_id)

    async def _find(self, conn: Connection, person_id: UUID, mark: Mark) -> MarkedPerson:
        found = await mark_store.lock_mark(conn, person_id, mark)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        if found.ended_at is not None:
            raise Problem(409, "conflict", N_("This has ended already."))
        return found

    async def _propose(
        self, requester: Requester, person_id: UUID, mark: Mark, reason: str, rows: Sequence[Row]
    ) -> MarkedPerson:
        reason = clean_text(reason, SHORTEST_REASON, LONGEST_REASON, "reason")
        marked = MarkedPerson(
            person_id=person_id,
            mark=mark,
            reason=reason,
            proposed_by=requester.name,
            proposed_at=clock.now(),
        )
        written = [mark_store.mark_row(marked), *rows, *self._rows(requester, person_id, mark, "proposed")]
        try:
            async with self._db.transaction() as conn:
                await insert(conn, written)
        except UniqueViolationError as error:
            raise Problem(409, "conflict", N_("This person is on the list already.")) from error
        return marked

    async def _register(self, person_id: UUID) -> None:
        """Register an invented person as the country's persons are registered, and record their letter."""
        async with self._db.transaction() as conn:
            entry = await mark_store.fetch_invented_entry(conn, person_id)
        if await self._directory.person(person_id) is None:
            await self._directory.register_person(msgspec.json.decode(entry, type=Person))
        await self._access.lifecycle.announce([person_id])

    def _rows(self, requester: Requester, person_id: UUID, mark: Mark, change: str) -> list[Row]:
        digest = sha256(f"{mark.value} {person_id}".encode()).digest()[:16]
        event = MarkChanged(mark_id=uuid8(digest), mark=mark.value, change=change)
        return self._journal.rows_for(requester, event)
