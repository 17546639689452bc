"""Documents as they were deposited, for who may see the lines that the person restricted."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import INLINE_LIMIT, Connection, Database, Objects
from esante.services.record import rules
from esante.services.record.documents import store as document_store
from esante.services.record.model import Document
from esante.services.record.restrictions import store


class Wholes:
    """Finds documents and their bytes as they are for a requester.

    What is stored of a document is what others are given: nothing here is asked where lines may not be seen.
    """

    def __init__(self, db: Database, objects: Objects) -> None:
        self._db, self._objects = db, objects

    async def shown(self, visibility: rules.Visibility, documents: Sequence[Document]) -> list[Document]:
        """Return documents that the requester may see, each with its restricted lines if they may see those."""
        keys = [(one.person_id, one.id) for one in documents if rules.shows_lines(visibility, one)]
        if not keys:
            return list(documents)
        wholes = await store.fetch_wholes(self._db, keys)
        found = ((one, wholes.get((one.person_id, one.id))) for one in documents)
        return [whole.shown(one) if whole else one for one, whole in found]

    async def content(self, document: Document, conn: Connection | None = None) -> bytes:
        """Return the bytes of a document, with its restricted lines if it `is_whole`.

        Raises: `FileNotFoundError` or `ValueError` when they are missing or damaged in the object store.
        """
        content = None
        if document.size <= INLINE_LIMIT:
            fetch = store.fetch_whole_content if document.is_whole else document_store.fetch_content
            content = await fetch(conn or self._db, document.person_id, document.id)
        return await self._objects.get(document.sha256) if content is None else content

    async def deposited(self, conn: Connection, document: Document) -> Document:
        """Return a document as it was deposited, whoever may see what of it."""
        whole = (await store.fetch_wholes(conn, [(document.person_id, document.id)])).get(
            (document.person_id, document.id)
        )
        return whole.shown(document) if whole else document

    async def document_of(self, person_id: UUID, source: UUID) -> UUID:
        """Return the key of the document whose resources have a source."""
        return await store.find_document_of(self._db, person_id, source)
