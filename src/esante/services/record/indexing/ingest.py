"""Indexing of deposited documents: the resources in them become searchable resources of the person.

Of a FHIR document these are all its resources, of a CDA document the vaccinations that it tells in coded form.

A document is indexed in the background after its deposit, so that the deposit does not pay for it; one that is read
before that is indexed then, if the requester may read it. Indexing is idempotent: done again, or by two processes at
once, it writes the same rows. Access to the resources is decided at every read, on the document.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable
from datetime import datetime
from functools import partial
from operator import attrgetter
from uuid import UUID

import asyncpg

from esante.core import clock
from esante.core.fhir import decode, encode, store
from esante.core.journal import Consumer, Entry
from esante.core.storage import (
    Connection,
    Database,
    DataLoader,
    Objects,
    Overloaded,
    Row,
    write_in_batches,
    yield_to_requests,
)
from esante.core.types import Json
from esante.core.web import FHIR_JSON, trim_memory
from esante.identity.access import ReadFilter
from esante.services.record.clinical_types import CLINICAL, KEPT
from esante.services.record.documents.content.validation import IN_THREAD
from esante.services.record.documents.store import fetch_content, fetch_last_versions
from esante.services.record.indexing import source_store
from esante.services.record.indexing.cda_resources import immunization_bundle, may_hold_vaccinations
from esante.services.record.indexing.extraction import extract_facts
from esante.services.record.indexing.source_store import ViewKey
from esante.services.record.indexing.sources import UnindexedDocument
from esante.services.record.model import INDEXED, KINDS, Corrected, DepositedEvent, Replaced, Status
from esante.services.record.rendering.worker_pool import WorkerPool

log = logging.getLogger(__name__)
_UNSTORABLE = (asyncpg.DataError, asyncpg.ProgramLimitExceededError)
"""Errors of PostgreSQL that another try would raise again."""
_PERSON_ELEMENTS = {name: type_.person for name, type_ in CLINICAL.items() if type_.person}


class DocumentIndexer:
    """Indexes the documents of persons that are not indexed yet."""

    def __init__(self, db: Database, objects: Objects, workers: WorkerPool) -> None:
        self._db, self._objects, self._workers = db, objects, workers
        self._unindexed: DataLoader[ViewKey, list[UnindexedDocument]] = DataLoader(
            db, partial(source_store.fetch_unindexed, db)
        )
        self._large_document = asyncio.Lock()  # one at a time, since each needs much memory

    @property
    def consumer(self) -> Consumer:
        """The journal consumer that indexes documents after their deposit."""
        return Consumer("record.index", [Corrected, DepositedEvent, Replaced], self._index_deposited)

    def load_unindexed(self, person_id: UUID, wanted: ReadFilter) -> Awaitable[list[UnindexedDocument] | None]:
        """Return what a requester may read and is not indexed; the query starts at once, not when awaited."""
        return self._unindexed.load((person_id, wanted))

    async def index(self, person_id: UUID, documents: Iterable[UnindexedDocument]) -> None:
        """Index documents of a person. One that cannot be indexed is logged and does not block the others."""
        for document in sorted(documents, key=attrgetter("id")):
            await self._index_document(person_id, document)

    async def revise(self, conn: Connection, person_id: UUID, series_id: UUID, bundle: Json) -> int:
        """Write the next version of those resources of a current document of which a service says something else now.

        `bundle`: the resources as a document would have them; those that the document does not have are left out.
        Return how many changed.
        """
        key = person_id, series_id
        document = (await fetch_last_versions(conn, [key])).get(key)
        if document is None or document.status is not Status.CURRENT:
            return 0
        await self.index(person_id, await source_store.fetch_unindexed_documents(conn, person_id, [document.id]))
        facts = extract_facts(bundle, person_id, KEPT, _PERSON_ELEMENTS)
        keys = [(person_id, fact.type, fact.id) for fact in facts]
        current = await store.fetch_current(conn, keys, {document.id})
        changed = 0
        for key_of_fact, fact in zip(keys, facts, strict=True):
            for version in current.get(key_of_fact, ()):
                if not version.deleted and _said(decode(version.body)) != _said(fact.resource):
                    await store.follow_version(conn, version, fact.resource)
                    changed += 1
        return changed

    async def _index_deposited(self, conn: Connection, entries: list[Entry]) -> None:
        for entry in entries:
            event = entry.event
            if event is None or not event.allowed or getattr(event, "media_type", FHIR_JSON) not in INDEXED:
                continue
            for document in await source_store.fetch_unindexed_documents(conn, entry.person_id, event.documents):
                await self._index_document(entry.person_id, document)
                await yield_to_requests()

    async def _index_document(self, person_id: UUID, document: UnindexedDocument) -> None:
        if (content := await fetch_content(self._db, person_id, document.id)) is not None:
            await self._write_resources(person_id, document, content)
            return
        async with self._large_document:
            try:
                content = await self._objects.get(document.sha256)
            except (FileNotFoundError, ValueError):
                log.exception("the content of document %s is missing or damaged in the object store", document.id)
                return
            await self._write_resources(person_id, document, content)
            del content
            trim_memory()

    async def _write_resources(self, person_id: UUID, document: UnindexedDocument, content: bytes) -> None:
        try:
            rows, problem = await self._resource_rows(person_id, document, content)
        except Overloaded:
            return  # it is opened another time
        opening = partial(source_store.opening_row, person_id, document.id, clock.now())
        with contextlib.suppress(asyncpg.UniqueViolationError):  # another process indexed it at the same moment
            try:
                await write_in_batches(self._db, [opening(problem), *rows])
            except _UNSTORABLE as error:
                log.exception("the resources of document %s cannot be stored", document.id)
                await self._db.write([opening(type(error).__name__)])

    async def _resource_rows(
        self, person_id: UUID, document: UnindexedDocument, content: bytes
    ) -> tuple[list[Row], str]:
        """Return the rows of a document's resources, and the class of the error that prevented it ("": none).

        Raises: `Overloaded` where it cannot be opened now.
        """
        try:
            if KINDS[document.media_type] == "cda":
                return _rows(person_id, document, await self._cda_bundle(content)), ""
            if len(content) > IN_THREAD:
                return await asyncio.to_thread(_rows_of_json, person_id, document, content), ""
            return _rows_of_json(person_id, document, content), ""
        except Overloaded:
            raise
        except Exception as error:
            log.exception("document %s cannot be indexed", document.id)
            return [], type(error).__name__

    async def _cda_bundle(self, content: bytes) -> Json:
        """Return what a CDA document tells as a Bundle; a process of its own opens it, since it may be hostile."""
        if not may_hold_vaccinations(content):
            return immunization_bundle([])
        request = {"task": "cda_immunizations", "number": 0}
        answer, _ = await self._workers.run(request, content, client=DocumentIndexer)
        return immunization_bundle(answer.get("result", ()))


def _said(resource: Json) -> Json:
    """Return what a resource says, without what the server adds; decoded the same way on both sides."""
    return {name: value for name, value in decode(encode(resource)).items() if name not in ("id", "meta")}


def _rows_of_json(person_id: UUID, document: UnindexedDocument, content: bytes) -> list[Row]:
    return _rows(person_id, document, decode(content))


def _rows(person_id: UUID, document: UnindexedDocument, bundle: Json) -> list[Row]:
    return resource_rows(person_id, document.id, document.deposited_at, bundle)


def resource_rows(person_id: UUID, source: UUID, deposited_at: datetime, bundle: Json) -> list[Row]:
    """Return the rows of a document's resources from a source, which exist since it was deposited."""
    return [
        store.create_version(fact.resource, person_id, fact.id, source, 0, deposited_at)[1]
        for fact in extract_facts(bundle, person_id, KEPT, _PERSON_ELEMENTS)
    ]
