"""Copies of what a requester sees of a person, page by page, for whoever takes them along.

Each page tells from which place the next goes on ("" is the first, None: there is none). Nothing is journalled here:
who takes copies tells of them, with `told`, in the transaction in which they are kept.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.fhir import search
from esante.core.fhir.search import PageLimits, SearchScope
from esante.core.storage import Database, Objects, Row
from esante.identity.access import AccessEvent, Requester, Verdict
from esante.services.record.audit import Teller
from esante.services.record.clinical.events import View
from esante.services.record.clinical.interactions import restricted
from esante.services.record.clinical.read import Clinical
from esante.services.record.clinical_types import CLINICAL, KEPT
from esante.services.record.documents import store
from esante.services.record.documents.document_reference import document_reference
from esante.services.record.model import Document, Filters, Order, Status

PAGE = PageLimits(count=500, size=4 * 1024 * 1024)
PROVENANCE = "Provenance"
TYPES = frozenset({"DocumentReference", PROVENANCE, *KEPT})
"""The types of which copies are made."""
_OWN = Verdict(True, "patient.portability", "own")
Covered = Mapping[str, Sequence[tuple[tuple[str, str], ...]]]
"""Types, and for each the search parameters of which a resource must match one set (an empty set: all match)."""


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
    """A resource as JSON in one line, its type, and the category that it counts as ("": of none)."""

    type: str
    body: bytes
    category: str = ""


@dataclass(frozen=True, slots=True)
class Extract:
    """A page of copies, and from where the next goes on."""

    copies: Sequence[Copy]
    place: str | None


class Extracts:
    """Takes copies of records."""

    def __init__(self, db: Database, objects: Objects, teller: Teller, clinical: Clinical) -> None:
        self._db, self._objects, self._teller, self._clinical = db, objects, teller, clinical

    async def view(self, requester: Requester, person_id: UUID) -> View:
        """What a requester sees of a person now."""
        return await self._clinical.view(requester, person_id)

    async def resources(self, view: View, covered: Covered, span: Span, place: str) -> Extract:
        """The clinical resources of `covered` types as they were at the end of the span, and where they come from."""
        given = {type_: restricted(type_, queries) for type_, queries in covered.items() if type_ in KEPT}
        if not given and PROVENANCE not in covered:
            return Extract((), None)
        types = given or dict.fromkeys(KEPT, ())  # of Provenance alone: that of everything
        scope = SearchScope(view.person_id, span.at, view.visible, types)
        after = _parsed(place)
        rows, last = await search.fetch_changed(self._db, scope, sorted(types), PAGE, since=span.since, after=after)
        copies = [Copy(row.type, row.body, view.sources[row.source].category) for row in rows if row.type in given]
        if PROVENANCE in covered:
            found = await self._clinical.included_provenances(view, {row.id for row in rows}, span.at)
            copies += [Copy(PROVENANCE, orjson.dumps(one)) for one in found]
        return Extract(copies, last and f"{last[0]}/{last[1].hex}")

    async def gone(self, view: View, covered: Covered, span: Span, place: str) -> Extract:
        """The clinical resources that were shown before the span and are there no longer, each page as a transaction
        Bundle that deletes them: what was deleted, and what came from documents that were withdrawn or replaced."""
        types = [type_ for type_, queries in covered.items() if type_ in CLINICAL and () in queries]
        if span.since is None or not types:
            return Extract((), None)
        scope = SearchScope(view.person_id, span.at, view.visible)
        found = await search.find_removed(
            self._db,
            scope,
            types,
            await self._ended(view, span),
            since=span.since,
            after=_parsed(place),
            limit=PAGE.count,
        )
        if not found:
            return Extract((), None)
        key = view.person_id.hex
        entries = [{"request": {"method": "DELETE", "url": f"{type_}/{key}{id_.hex}"}} for type_, id_ in found]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        type_, id_ = found[-1]
        return Extract([Copy("Bundle", orjson.dumps(bundle))], f"{type_}/{id_.hex}")

    async def documents(self, view: View, span: Span, place: str) -> tuple[list[Document], str | None]:
        """Documents, the last deposited first."""
        begin = (date.max, UUID(hex=place)) if place else store.FIRST[Order.DEPOSITED]
        filters = Filters(status=())
        batch = await store.page(self._db, view.person_id, filters, Order.DEPOSITED, begin, PAGE.count)
        shown = [one for one in batch if view.sight.sees(one) and span.holds(one.deposited_at, one.changed_at)]
        return shown, batch[-1].id.hex if len(batch) == PAGE.count else None

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
        return self._teller.rows(event, view.sight.requester, view.person_id, ground(view), **about)

    async def _ended(self, view: View, span: Span) -> list[UUID]:
        """The documents that were withdrawn or replaced in the span."""
        found: list[UUID] = []
        place: str | None = ""
        while place is not None:
            documents, place = await self.documents(view, span, place)
            found += [one.id for one in documents if one.status is not Status.CURRENT]
        return found


def ground(view: View) -> Verdict:
    """Whether there is anything of a person for the requester, and why. What else is known of her a person is given
    before her record is opened, too."""
    found = view.sight.whole()
    return _OWN if found.rule == "patient.before-opening" else found


def _parsed(place: str) -> tuple[str, UUID] | None:
    type_, _, id_ = place.partition("/")
    return (type_, UUID(hex=id_)) if place else None
