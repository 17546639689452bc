"""ITI-43, the retrieval of documents, each decided and journalled by the record."""

from collections.abc import Sequence

from esante.core.storage import NIL, Database
from esante.core.web import Problem
from esante.core.xds import DocumentRequest, RegistryError, Retrieved, RetrievedDocument
from esante.identity.access import Requester
from esante.services.exchange.hospital import store
from esante.services.exchange.hospital.entries import mime_type_of, unique_id_of
from esante.services.exchange.hospital.model import RegistryKey
from esante.services.exchange.hospital.registry import LISTED
from esante.services.record import Document, Record, Status

MAX_BYTES = 40 * 1024 * 1024
"""Bytes of documents from which an answer has no more."""


class Repository:
    """Hands out documents; `oid` names it."""

    def __init__(self, db: Database, record: Record, oid: str) -> None:
        self._db, self._record, self.oid = db, record, oid

    async def retrieve(self, requester: Requester, requests: Sequence[DocumentRequest]) -> Retrieved:
        """Return documents as deposited, and the same error for each that is absent or refused."""
        keys = await store.find_keys(self._db, [one.unique_id for one in requests])
        documents: list[RetrievedDocument] = []
        errors: list[RegistryError] = []
        size = 0
        for one in requests:
            if one.repository_id != self.oid or one.home.removeprefix("urn:oid:") not in ("", self.oid):
                errors.append(RegistryError("XDSUnknownRepositoryId", "This is another repository.", one.unique_id))
                continue
            if size > MAX_BYTES:
                errors.append(RegistryError("XDSRepositoryBusy", "Ask for fewer documents.", one.unique_id))
                continue
            try:
                document, content = await self._open(requester, keys.get(one.unique_id), one.unique_id)
            except Problem as problem:
                if problem.status != 404:
                    raise
                errors.append(RegistryError("XDSDocumentUniqueIdError", "There is no such document.", one.unique_id))
                continue
            size += len(content)
            documents.append(RetrievedDocument(one.home, self.oid, one.unique_id, mime_type_of(document), content))
        return Retrieved(documents, errors)

    async def _open(self, requester: Requester, key: RegistryKey | None, unique_id: str) -> tuple[Document, bytes]:
        """Return a document and its bytes. Raises: Problem 404."""
        person_id = key.person_id if key else NIL
        document_id = key.object_id if key else NIL
        if document_id is None:  # the submission that took the unique id did not end, or has just ended
            page = await self._record.timeline(
                requester, person_id, LISTED, limit=1, matching=lambda one: unique_id_of(one) == unique_id
            )
            document_id = page.documents[0].id if page.documents else NIL
        return await self._record.content(
            requester, person_id, document_id, matching=lambda one: one.status is not Status.WITHDRAWN
        )
