"""The lock on the versions of a document that is to be changed; what the requester may not see is not locked."""

from uuid import UUID

from esante.core.storage import Connection
from esante.identity.access import Verdict
from esante.services.record import rules
from esante.services.record.documents import store
from esante.services.record.model import Document


async def lock_visible(
    conn: Connection, visibility: rules.Visibility, document_id: UUID
) -> tuple[Document, Verdict, list[Document]]:
    """Lock the series of a document until the end of the transaction.

    Returns the document as it is under the lock, the verdict on it, and all versions, the newest first.
    Raises: `Denied` (404) for a document that does not exist or must not be seen, before anything is locked.
    """
    person_id = visibility.consent.person_id
    document, _ = rules.require_visible(visibility, await store.find_document(conn, person_id, document_id))
    series = await store.lock_series(conn, person_id, document.series_id)
    match = next((version for version in series if version.id == document_id), None)
    document, verdict = rules.require_visible(visibility, match)
    return document, verdict, series
