"""Copies of what a requester sees of a person, page by page, for whoever takes them along.

Each page tells from which place the next goes on. Nothing is journalled here: who takes a copy tells of it, with
`told`, in the transaction in which the copy is kept.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson

from esante.access import Access, AccessEvent, Requester, Verdict
from esante.record import rules, store
from esante.record.model import Document, Filters, Order
from esante.record.resources import document_reference
from esante.record.telling import Teller
from esante.storage import Database, Objects, Row

PAGE = 200
"""Resources of a page."""
_OWN = Verdict(True, "patient.portability", "own")


@dataclass(frozen=True, slots=True)
class Span:
    """What has changed after `since` (None: ever), and not after `at`."""

    since: datetime | None
    at: datetime

    def holds(self, *moments: datetime) -> bool:
        """Whether something that was there and changed at these moments is meant."""
        return max(moments) <= self.at and (self.since is None or max(moments) > self.since)


@dataclass(frozen=True, slots=True)
class Copy:
    """A resource as JSON in one line, its type, and the category that it counts as."""

    type: str
    body: bytes
    category: str


@dataclass(frozen=True, slots=True)
class Extract:
    """A page of copies, and from where the next goes on (None: there is none)."""

    copies: Sequence[Copy]
    place: str | None


@dataclass(frozen=True, slots=True)
class View:
    """What one requester sees of a person's record at one moment."""

    person_id: UUID
    requester: Requester
    sight: rules.Sight

    @property
    def verdict(self) -> Verdict:
        """Whether there is anything for the requester, and why. What is known of herself a person is given also before
        her record is opened."""
        found = self.sight.whole()
        return _OWN if found.rule == "patient.before-opening" else found


class Extracts:
    """Takes copies of records."""

    def __init__(self, db: Database, objects: Objects, teller: Teller, access: Access) -> None:
        self._db, self._objects, self._teller, self._access = db, objects, teller, access

    async def view(self, requester: Requester, person_id: UUID) -> View:
        """What a requester sees of a person now."""
        return View(
            person_id, requester, rules.Sight(requester, await self._access.consent(person_id), datetime.now(UTC))
        )

    async def documents(self, view: View, span: Span, place: str) -> tuple[list[Document], str | None]:
        """Documents, the last deposited first, and from where the next page goes on; `place` is "" for the first."""
        begin = (date.max, UUID(hex=place)) if place else store.FIRST[Order.DEPOSITED]
        batch = await store.page(self._db, view.person_id, Filters(status=()), Order.DEPOSITED, begin, PAGE)
        shown = [one for one in batch if view.sight.sees(one) and span.holds(one.deposited_at, one.changed_at)]
        return shown, batch[-1].id.hex if len(batch) == PAGE else None

    async def references(self, view: View, span: Span, place: str, base_url: str) -> Extract:
        """As `documents`: their DocumentReferences."""
        found, following = await self.documents(view, span, place)
        copies = [
            Copy("DocumentReference", orjson.dumps(document_reference(document, base_url)), document.category)
            for document in found
        ]
        return Extract(copies, following)

    async def content(self, document: Document) -> bytes:
        """The bytes of a document that was just shown; raises FileNotFoundError or ValueError when they are lost."""
        key = (document.person_id, document.id)
        found = await store.with_content(self._db, [key])
        content = found[key][1] if key in found else None
        return await self._objects.get(document.sha256) if content is None else content

    def told(
        self,
        event: type[AccessEvent],
        view: View,
        categories: Collection[str],
        documents: Collection[UUID],
        **fields: Any,
    ) -> list[Row]:
        """The rows that tell of copies that were taken."""
        about = {"categories": tuple(sorted(categories)), "documents": tuple(documents), **fields}
        return self._teller.rows(event, view.requester, view.person_id, view.verdict, **about)
