"""The use cases of the record: deposit, list, read, replace, withdraw, correct, restrict."""

from uuid import UUID

from esante.access import Access, Confidentiality, Requester
from esante.directory import Directory
from esante.journal import Journal
from esante.record.model import Deposit, Deposited, Document, Filters, Order, Timeline
from esante.storage import Database, Objects


class Record:
    """The shared care record.

    What a requester may not see does not exist for him: every method raises the same Problem 404 for a
    document that is not there and for one that is not for him. Every act is journalled with its verdict, in
    the transaction of the act.
    """

    def __init__(
        self, db: Database, objects: Objects, journal: Journal, directory: Directory, access: Access
    ) -> None:
        self._db, self._objects, self._journal = db, objects, journal
        self._directory, self._access = directory, access

    async def close(self) -> None:
        """Stop the process that looks into documents."""
        raise NotImplementedError

    async def deposit(
        self,
        requester: Requester,
        person_id: UUID,
        content: bytes,
        meta: Deposit,
        replaces: UUID | None = None,
    ) -> Deposited:
        """Check and keep a document; the same bytes again answer with the document that is there.

        Raises Problem 413 (too large), 422 (content or metadata wrong: `InvalidContent` lists all issues),
        403 (record not open, or the matrix gives no write right), 404 (`replaces` is not there),
        409 (`replaces` is not the current version).
        """
        raise NotImplementedError

    async def timeline(
        self,
        requester: Requester,
        person_id: UUID,
        filters: Filters = Filters(),  # noqa: B008 - frozen
        *,
        cursor: str | None = None,
        limit: int = 50,
        order: Order = Order.NEWEST,
    ) -> Timeline:
        """A page of the documents that the requester may see; journalled as one look."""
        raise NotImplementedError

    async def document(self, requester: Requester, person_id: UUID, document_id: UUID) -> Document:
        """What is known of a document, without its bytes; journalled as a look. Problem 404."""
        raise NotImplementedError

    async def content(
        self, requester: Requester, person_id: UUID, document_id: UUID
    ) -> tuple[Document, bytes]:
        """A document with its bytes as they came in; journalled as a reading. Problem 404."""
        raise NotImplementedError

    async def versions(self, requester: Requester, person_id: UUID, document_id: UUID) -> tuple[Document, ...]:
        """All versions of a document that the requester may see, the newest first. Problem 404."""
        raise NotImplementedError

    async def withdraw(
        self, requester: Requester, person_id: UUID, document_id: UUID, reason: str
    ) -> Document:
        """Mark a document as entered in error: its author or his organisation, the patient her own note.

        Problem 404, 403 (seen but not one's own), 409 (withdrawn before), 422 (no reason).
        """
        raise NotImplementedError

    async def correct_person(
        self,
        requester: Requester,
        person_id: UUID,
        document_id: UUID,
        right_person_id: UUID,
        reason: str,
    ) -> Document:
        """Move a document that was filed under the wrong patient; returns it as it is at the right one.

        Problem as `withdraw`, and 403 when the right person's record takes nothing in.
        """
        raise NotImplementedError

    async def set_confidentiality(
        self, requester: Requester, person_id: UUID, document_id: UUID, level: Confidentiality
    ) -> Document:
        """Set how far a document and all its versions go: the patient alone may. Problem 404, 403."""
        raise NotImplementedError
