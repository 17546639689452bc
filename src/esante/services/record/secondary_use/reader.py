"""Reads what of records may enter secondary use, for extractions under a permit.

It is what is current in the open records of persons who share them, restricted by nobody (confidentiality normal), and
not written by patients themselves. Whose data are left out by an opt-out is not decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from esante.core.storage import NIL, Database
from esante.identity.access import Access, Confidentiality, ReadFilter, RecordState
from esante.services.record.categories import CATEGORIES
from esante.services.record.documents.document_reference import document_reference
from esante.services.record.documents.store import fetch_documents
from esante.services.record.indexing.ingest import DocumentIndexer
from esante.services.record.indexing.source_store import fetch_person_sources
from esante.services.record.secondary_use import resource_store

DOCUMENT = "DocumentReference"
_NORMAL = ReadFilter(labels=tuple(f"{Confidentiality.NORMAL.value}/{category}" for category in CATEGORIES))


@dataclass(frozen=True, slots=True)
class SharedBatch:
    """The persons of a batch whose data may be used, and their resources (person, type, body).

    `last`: the key after which the next batch begins; None: there is no next.
    """

    persons: Sequence[UUID]
    resources: Sequence[tuple[UUID, str, bytes]]
    last: UUID | None


class SecondaryUse:
    """Reads records for extractions. Nothing is journalled here: who extracts does that."""

    def __init__(self, db: Database, access: Access, indexer: DocumentIndexer) -> None:
        self._db, self._access, self._indexer = db, access, indexer

    async def count_persons(self) -> int:
        """Return how many persons all batches look at."""
        return await resource_store.count_holders(self._db)

    async def read(self, types: Sequence[str], after: UUID = NIL, limit: int = 200) -> SharedBatch:
        """Return the resources of some types of the next persons after a key, at most `limit` of them."""
        holders = await resource_store.fetch_holders(self._db, after, limit)
        persons = await self._sharing(holders)
        keys = [(person_id, _NORMAL) for person_id in persons]
        for (person_id, _), found in (await fetch_person_sources(self._db, keys)).items():
            await self._indexer.index(person_id, found.unindexed)
        sources = [
            (person_id, source.id)
            for (person_id, _), found in (await fetch_person_sources(self._db, keys)).items()
            for source in found.all
            if source.author_kind != "patient"
        ]
        resources = await resource_store.fetch_resources(self._db, sources, types)
        if DOCUMENT in types:
            resources += await self._documents(persons)
        return SharedBatch(persons, resources, holders[-1] if len(holders) == limit else None)

    async def _sharing(self, holders: Sequence[UUID]) -> list[UUID]:
        """Return those persons whose record is open, and who share it."""
        async with self._db.transaction() as conn:
            consents = await self._access.consents(conn, holders)
        return [one for one in holders if consents[one].state is RecordState.OPEN and consents[one].sharing]

    async def _documents(self, persons: Sequence[UUID]) -> list[tuple[UUID, str, bytes]]:
        keys = await resource_store.fetch_document_keys(self._db, persons)
        documents = await fetch_documents(self._db, keys) if keys else {}
        return [
            (person_id, DOCUMENT, orjson.dumps(document_reference(documents[person_id, id_], "")))
            for person_id, id_ in keys
            if (person_id, id_) in documents
        ]
