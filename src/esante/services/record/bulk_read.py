"""Copies of what a requester may see of a person, page by page, for export.

Each page says after which place the next begins ("" is the first page, None: there is no next). Nothing is journalled
here: whoever keeps the copies writes `audit_rows` in the same transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.fhir import search
from esante.core.fhir.search import PageLimits, SearchScope
from esante.core.storage import Database, Row
from esante.identity.access import HOLDER, AccessEvent, Requester, Verdict
from esante.services.record.audit import AuditWriter
from esante.services.record.clinical.read import ClinicalReader
from esante.services.record.clinical.view import View, scope_queries
from esante.services.record.clinical_types import CLINICAL, KEPT
from esante.services.record.documents import store
from esante.services.record.documents.document_reference import document_reference
from esante.services.record.indexing.sources import whole_source
from esante.services.record.model import Document, Filters, Order, Status
from esante.services.record.restrictions.wholes import Wholes

PAGE = PageLimits(count=500, size=4 * 1024 * 1024)
"""The largest number of resources of a page, and of their bytes."""
PROVENANCE = "Provenance"
COPIED_TYPES = frozenset({"DocumentReference", PROVENANCE, *KEPT})
"""The types of which copies are made."""
_OWN = Verdict(True, "patient.portability", "own", context=HOLDER)
TypeFilters = Mapping[str, Sequence[tuple[tuple[str, str], ...]]]
"""Types, each with the sets of search parameters of which a resource must match one (an empty set: all match)."""


@dataclass(frozen=True, slots=True)
class Span:
    """The changes after `since` (None: from the beginning) and not after `at`, both in UTC."""

    since: datetime | None
    at: datetime

    def includes(self, *moments: datetime) -> bool:
        """Return whether the latest of the moments at which something changed is in the span."""
        return max(moments) <= self.at and (self.since is None or max(moments) > self.since)


@dataclass(frozen=True, slots=True)
class ResourceCopy:
    """A resource as one line of JSON, its type, and its access category ("": none)."""

    type: str
    body: bytes
    category: str = ""


@dataclass(frozen=True, slots=True)
class CopyPage:
    """A page of copies, and the place after which the next begins (None: there is no next)."""

    copies: Sequence[ResourceCopy]
    place: str | None


class BulkReader:
    """Reads copies of records."""

    def __init__(self, db: Database, audit_writer: AuditWriter, reader: ClinicalReader, wholes: Wholes) -> None:
        self._db, self._audit_writer, self._reader, self._wholes = db, audit_writer, reader, wholes

    async def load_view(self, requester: Requester, person_id: UUID) -> View:
        """Return what a requester may see of a person now."""
        return await self._reader.load_view(requester, person_id)

    async def read_resources(self, view: View, filters: TypeFilters, span: Span, place: str) -> CopyPage:
        """Return clinical resources of the types of `filters` as of the end of the span, and their Provenance."""
        queries = {type_: scope_queries(type_, sets) for type_, sets in filters.items() if type_ in KEPT}
        if not queries and PROVENANCE not in filters:
            return CopyPage((), None)
        types = queries or dict.fromkeys(KEPT, ())  # Provenance alone: that of all resources
        scope = SearchScope(view.person_id, span.at, view.visible_sources, types)
        after = _parse_place(place)
        rows, last = await search.fetch_changed(self._db, scope, sorted(types), PAGE, since=span.since, after=after)
        copies = [
            ResourceCopy(row.type, row.body, view.sources[row.source].category) for row in rows if row.type in queries
        ]
        if PROVENANCE in filters:
            provenances = await self._reader.provenances_of(view, {row.id for row in rows}, span.at)
            copies += [ResourceCopy(PROVENANCE, orjson.dumps(one)) for one in provenances]
        return CopyPage(copies, last and f"{last[0]}/{last[1].hex}")

    async def read_deletions(self, view: View, filters: TypeFilters, span: Span, place: str) -> CopyPage:
        """Return the clinical resources that were visible before the span and no longer exist.

        Each page is one transaction Bundle that deletes them: resources that were deleted, and those of documents
        that were withdrawn or replaced.
        """
        types = [type_ for type_, sets in filters.items() if type_ in CLINICAL and () in sets]
        if span.since is None or not types:
            return CopyPage((), None)
        deleted = await search.find_removed(
            self._db,
            SearchScope(view.person_id, span.at, view.visible_sources),
            types,
            await self._ended_documents(view, span),
            since=span.since,
            after=_parse_place(place),
            limit=PAGE.count,
        )
        if not deleted:
            return CopyPage((), None)
        key = view.person_id.hex
        entries = [{"request": {"method": "DELETE", "url": f"{type_}/{key}{id_.hex}"}} for type_, id_ in deleted]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        type_, id_ = deleted[-1]
        return CopyPage([ResourceCopy("Bundle", orjson.dumps(bundle))], f"{type_}/{id_.hex}")

    async def read_documents(self, view: View, span: Span, place: str) -> tuple[list[Document], str | None]:
        """Return a page of documents, latest deposited first, and the place after which the next begins."""
        begin = (date.max, UUID(hex=place)) if place else store.FIRST[Order.DEPOSITED]
        wanted, filters = view.visibility.filter, Filters(status=())
        batch = await store.fetch_page(self._db, view.person_id, wanted, filters, Order.DEPOSITED, begin, PAGE.count)
        shown = [
            one for one in batch if view.visibility.includes(one) and span.includes(one.deposited_at, one.changed_at)
        ]
        shown = await self._wholes.shown(view.visibility, shown)
        return shown, batch[-1].id.hex if len(batch) == PAGE.count else None

    async def read_document_references(self, view: View, span: Span, place: str, base_url: str) -> CopyPage:
        """Return the DocumentReferences of a page of documents (as `read_documents`)."""
        documents, following = await self.read_documents(view, span, place)
        copies = [
            ResourceCopy("DocumentReference", orjson.dumps(document_reference(one, base_url)), one.category)
            for one in documents
        ]
        return CopyPage(copies, following)

    async def read_content(
        self, view: View, document: Document, *, with_restricted_lines: bool = True
    ) -> bytes | None:
        """Return the bytes of a document that `read_documents` returned; None when it was deleted meanwhile.

        Without `with_restricted_lines` those that others are given.

        Raises: `FileNotFoundError` or `ValueError` when they are missing or damaged in the object store.
        """
        found = await store.find_document(self._db, document.person_id, document.id)
        if found is None:
            return None
        if with_restricted_lines:  # lines may have been restricted meanwhile, or no longer be
            [found] = await self._wholes.shown(view.visibility, [found])
        return await self._wholes.content(found)

    def audit_rows(
        self,
        event: type[AccessEvent],
        view: View,
        categories: Collection[str],
        documents: Collection[UUID],
        *,
        verdict: Verdict | None = None,
        **fields: Any,
    ) -> list[Row]:
        """Return the journal rows of copies that were made; `fields` are further fields of the event.

        `verdict`: why they may be made; None: that on copying the record.
        """
        about = {"categories": tuple(sorted(categories)), "documents": tuple(documents), **fields}
        requester, found = view.visibility.requester, verdict or bulk_read_verdict(view)
        return self._audit_writer.rows(event, requester, view.person_id, found, **about)

    async def _ended_documents(self, view: View, span: Span) -> list[UUID]:
        """Return the keys of the documents that were withdrawn or replaced in the span."""
        ended: list[UUID] = []
        place: str | None = ""
        while place is not None:
            documents, place = await self.read_documents(view, span, place)
            ended += [
                whole_source(one.id) if one.is_whole else one.id
                for one in documents
                if one.status is not Status.CURRENT
            ]
        return ended


def bulk_read_verdict(view: View) -> Verdict:
    """Return the verdict on copying a record.

    Patients may copy the other data about them before their record is opened and after it was closed, too
    (portability); what the record holds is not among it then.
    """
    verdict = view.visibility.record_verdict()
    return _OWN if verdict.rule in ("patient.before-opening", "patient.closed") else verdict


def _parse_place(place: str) -> tuple[str, UUID] | None:
    type_, _, id_ = place.partition("/")
    return (type_, UUID(hex=id_)) if place else None
