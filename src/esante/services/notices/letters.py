"""Letters to persons who never signed in: the law lets them be told "by any means" (RGD A909, article 3(3)).

The platform writes no letters itself. It keeps a list, which an operator takes in batches as a file for whoever prints
and sends (CSV: name, address, language, text in that language); who was told what stands in the journal.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from esante.contract import NoticeKind
from esante.core import clock
from esante.core.journal import Consumer, Entry, Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.web import (
    DEFAULT_LANGUAGE,
    LANGUAGES,
    NOT_FOUND,
    Page,
    Problem,
    decode_uuid_cursor,
    encode_cursor,
    show_date,
    translator,
)
from esante.identity.access import Disposition, Requester, SignedIn, StepOutcome, require_operator
from esante.identity.directory import Directory, Person
from esante.services.notices import letter_store
from esante.services.notices.letter_store import LetterBatch
from esante.services.notices.model import Letter, LettersTaken, LetterTaken
from esante.services.notices.rules import make_notice

WITHIN = timedelta(days=30)
"""How old an event may be to become a letter: what happened before there were letters makes none."""
MAX_BATCH = 5_000
"""Letters of a batch."""
_COLUMNS = ("id", "date", "name", "street", "postal code", "city", "country", "language", "text")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell of a spreadsheet must not begin with, lest it be computed."""


class Letters:
    """The list of letters. `categories`: the labels of categories of data."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        kinds: Sequence[NoticeKind],
        categories: Mapping[str, str],
    ) -> None:
        self._db, self._journal, self._directory, self._categories = db, journal, directory, categories
        self._kinds = {kind.name: kind for kind in kinds}

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal that puts letters on the list, each exactly once."""
        events = dict.fromkeys(kind.event for kind in self._kinds.values() if kind.by_any_means)
        return Consumer("notices.letters", [*events], self._handle)

    async def _handle(self, conn: Connection, entries: list[Entry]) -> None:
        since = clock.now() - WITHIN
        made = [make_notice(entry, self._kinds.values()) for entry in entries if entry.at >= since]
        notices = [notice for notice in made if notice is not None and notice.kind.by_any_means]
        persons = await self._directory.persons({notice.person_id for notice in notices})
        rows = [
            letter_store.letter_row(notice)
            for notice in notices
            if (person := persons.get(notice.person_id)) and not person.deceased_at
            if not await self._journal.entries_of(notice.person_id, [SignedIn], limit=1)
        ]
        await insert(conn, rows)

    async def page(
        self,
        requester: Requester,
        status: str = "waiting",
        person_id: UUID | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page[tuple[Letter, Person | None]]:
        """Return a page of letters that wait, or were taken, the newest first, each with its person.

        Raises: `Problem` 403 for a requester who is not an operator, 400 for a cursor that is not valid.
        """
        require_operator(requester)
        before = decode_uuid_cursor(cursor)
        found = await letter_store.page(self._db, status, person_id, before, limit + 1, self._kinds)
        persons = await self._directory.persons({letter.person_id for letter in found})
        items = [(letter, persons.get(letter.person_id)) for letter in found[:limit]]
        return Page(items, encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def count_waiting(self) -> int:
        """Return how many letters wait."""
        return await letter_store.count_waiting(self._db)

    async def batches(self, requester: Requester, limit: int = 10) -> list[LetterBatch]:
        """Return the last batches, the newest first. Raises: `Problem` 403."""
        require_operator(requester)
        return await letter_store.fetch_batches(self._db, limit)

    async def take(self, requester: Requester) -> UUID | None:
        """Take the oldest letters that wait as a batch; return its key, None when none waits.

        That each person was told is journalled. Raises: `Problem` 403 for a requester who is not an operator.
        """
        require_operator(requester)
        batch_id, now = uuid7(), clock.now()
        async with self._db.transaction() as conn:
            taken = await letter_store.take(conn, batch_id, now, requester.name, MAX_BATCH, self._kinds)
            if not taken:
                return None
            rows = self._journal.rows_for(requester, LettersTaken(batch_id=batch_id, count=len(taken)))
            for letter in taken:
                event = LetterTaken(notice_id=letter.id, kind=letter.kind.name, batch_id=batch_id)
                rows += self._journal.rows_for(requester, event, person_id=letter.person_id)
            await insert(conn, rows)
        return batch_id

    async def file(self, requester: Requester, batch_id: UUID) -> bytes:
        """Return a batch as CSV (UTF-8 with a mark, for spreadsheets). Raises: `Problem` 403, 404."""
        require_operator(requester)
        letters = await letter_store.fetch_batch(self._db, batch_id, self._kinds)
        if not letters:
            raise Problem(404, "not-found", NOT_FOUND)
        persons = await self._directory.persons({letter.person_id for letter in letters})
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(_COLUMNS)
        for letter in letters:
            if person := persons.get(letter.person_id):
                writer.writerow([_cell(value) for value in self._values(letter, person)])
        return b"\xef\xbb\xbf" + out.getvalue().encode()

    async def delete(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete a person's letters, when their record is deleted."""
        return StepOutcome(await letter_store.delete_of_person(conn, disposition.person_id), finished=True)

    def _values(self, letter: Letter, person: Person) -> tuple[str, ...]:
        language = next((one for one in person.languages if one in LANGUAGES), DEFAULT_LANGUAGE)
        gettext, address = translator(language).gettext, person.address
        names = ", ".join(gettext(self._categories[key]) for key in letter.categories if key in self._categories)
        text = gettext(letter.kind.text) % {"actor": letter.actor, "categories": names}
        day = show_date(letter.at, language)
        where = (address.line, address.postal_code, address.city, address.country)
        return (str(letter.id), day, person.name, *where, language, text)


def _cell(value: str) -> str:
    """Return a value as the text of a cell, which no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value
