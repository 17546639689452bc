"""Opening documents: the resources of deposited FHIR documents become resources of the person that can be searched.

It happens when somebody first looks for a person's resources, so that a deposit pays nothing for it. Opened again, or
by two at once, a document gives the same rows. What may be seen of them is decided at each look, on the document.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from uuid import UUID

import asyncpg

from esante.core.fhir import decode, store
from esante.core.storage import Database, DataLoader, Objects, Row, insert_many
from esante.core.web import give_back
from esante.services.record.clinical_types import CLINICAL, KEPT
from esante.services.record.documents.store import content_of
from esante.services.record.documents.validation import IN_THREAD
from esante.services.record.indexing import sources
from esante.services.record.indexing.extraction import facts_of
from esante.services.record.indexing.sources import Unopened

log = logging.getLogger(__name__)
_PERSONS = {name: type_.person for name, type_ in CLINICAL.items() if type_.person}


class Opening:
    """Opens the documents of persons that are not opened yet."""

    def __init__(self, db: Database, objects: Objects) -> None:
        self._db, self._objects = db, objects
        self._unopened: DataLoader[UUID, list[Unopened]] = DataLoader(db, partial(sources.unopened, db))
        self._turn = asyncio.Lock()  # of large documents, each of which takes much memory

    def unopened(self, person_id: UUID) -> Awaitable[list[Unopened] | None]:
        """What there is to open of a person, asked for from now on."""
        return self._unopened.soon(person_id)

    async def open(self, person_id: UUID, unopened: Iterable[Unopened] | None = None) -> None:
        """Open a person's documents. One that cannot be opened is noted and stands in nobody's way."""
        documents = await self.unopened(person_id) if unopened is None else unopened
        for document in sorted(documents or (), key=attrgetter("id")):
            await self._open(person_id, document)

    async def _open(self, person_id: UUID, document: Unopened) -> None:
        if (content := await content_of(self._db, person_id, document.id)) is not None:
            await self._take(person_id, document, content)
            return
        async with self._turn:
            try:
                content = await self._objects.get(document.sha256)
            except (FileNotFoundError, ValueError):
                log.exception("the bytes of document %s are lost or damaged", document.id)
                return
            await self._take(person_id, document, content)
            del content
            give_back()

    async def _take(self, person_id: UUID, document: Unopened, content: bytes) -> None:
        rows, problem = await _taken(person_id, document, content)
        opened = sources.opening_row(person_id, document.id, datetime.now(UTC), problem)
        with contextlib.suppress(asyncpg.UniqueViolationError):  # somebody else opened it at the same moment
            await insert_many(self._db, [opened, *rows])


async def _taken(person_id: UUID, document: Unopened, content: bytes) -> tuple[list[Row], str]:
    """The rows of a document's resources, and what stood in the way."""
    try:
        if len(content) > IN_THREAD:
            return await asyncio.to_thread(_rows, person_id, document, content), ""
        return _rows(person_id, document, content), ""
    except Exception as error:
        log.exception("document %s cannot be opened", document.id)
        return [], type(error).__name__


def _rows(person_id: UUID, document: Unopened, content: bytes) -> list[Row]:
    """The rows of a document's resources, which are there since it was deposited."""
    return [
        store.create_version(fact.resource, person_id, fact.id, document.id, 0, document.deposited_at)[1]
        for fact in facts_of(decode(content), person_id, KEPT, _PERSONS)
    ]
