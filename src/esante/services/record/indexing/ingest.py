"""Indexing of deposited FHIR documents: their resources become searchable resources of the person.

A document is indexed when resources of its person are first read, so that a deposit does not pay for it. Indexing is
idempotent: done again, or by two processes at once, it writes the same rows. Access to the resources is decided at
every read, on the document.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable
from functools import partial
from operator import attrgetter
from uuid import UUID

import asyncpg

from esante.core import clock
from esante.core.fhir import decode, store
from esante.core.storage import Database, DataLoader, Objects, Row, write_in_batches
from esante.core.web import trim_memory
from esante.services.record.clinical_types import CLINICAL, KEPT
from esante.services.record.documents.store import fetch_content
from esante.services.record.documents.validation import IN_THREAD
from esante.services.record.indexing import source_store
from esante.services.record.indexing.extraction import extract_facts
from esante.services.record.indexing.sources import UnindexedDocument

log = logging.getLogger(__name__)
_PERSON_ELEMENTS = {name: type_.person for name, type_ in CLINICAL.items() if type_.person}


class DocumentIndexer:
    """Indexes the documents of persons that are not indexed yet."""

    def __init__(self, db: Database, objects: Objects) -> None:
        self._db, self._objects = db, objects
        fetch = partial(source_store.fetch_unindexed, db)
        self._unindexed: DataLoader[UUID, list[UnindexedDocument]] = DataLoader(db, fetch)
        self._large_document = asyncio.Lock()  # one at a time, since each needs much memory

    def load_unindexed(self, person_id: UUID) -> Awaitable[list[UnindexedDocument] | None]:
        """Return the documents of a person that are to be indexed; the query starts at once, not when awaited."""
        return self._unindexed.load(person_id)

    async def index(self, person_id: UUID, unindexed: Iterable[UnindexedDocument] | None = None) -> None:
        """Index a person's documents (`unindexed`, or all that are not indexed yet).

        A document that cannot be indexed is logged and does not block the others.
        """
        documents = await self.load_unindexed(person_id) if unindexed is None else unindexed
        for document in sorted(documents or (), key=attrgetter("id")):
            await self._index_document(person_id, document)

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
        rows, problem = await _resource_rows(person_id, document, content)
        opening = source_store.opening_row(person_id, document.id, clock.now(), problem)
        with contextlib.suppress(asyncpg.UniqueViolationError):  # another process indexed it at the same moment
            await write_in_batches(self._db, [opening, *rows])


async def _resource_rows(person_id: UUID, document: UnindexedDocument, content: bytes) -> tuple[list[Row], str]:
    """Return the rows of a document's resources, and the class of the error that prevented it ("": none)."""
    try:
        if len(content) > IN_THREAD:
            return await asyncio.to_thread(_rows, person_id, document, content), ""
        return _rows(person_id, document, content), ""
    except Exception as error:
        log.exception("document %s cannot be indexed", document.id)
        return [], type(error).__name__


def _rows(person_id: UUID, document: UnindexedDocument, content: bytes) -> list[Row]:
    """Return the rows of a document's resources, which exist since it was deposited."""
    return [
        store.create_version(fact.resource, person_id, fact.id, document.id, 0, document.deposited_at)[1]
        for fact in extract_facts(decode(content), person_id, KEPT, _PERSON_ELEMENTS)
    ]
