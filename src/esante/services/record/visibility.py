"""Visibility of documents for services that notify others of them: the same decisions as for reading.

Nothing is journalled here. A service that notifies somebody of a document journals that (`Record.audit_rows`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.contract import Focus
from esante.core.storage import Connection
from esante.identity.access import Access, Consent, Requester, Verdict
from esante.services.record import rules
from esante.services.record.documents import store
from esante.services.record.model import Document


@dataclass(frozen=True, slots=True)
class FocusSnapshot:
    """Documents of several records at one moment, with the consents of their patients."""

    documents: Mapping[store.DocumentKey, Document]
    consents: Mapping[UUID, Consent]

    def document(self, focus: Focus) -> Document | None:
        """Return the document of a focus, or None where there is none."""
        return self.documents.get((focus.person_id, focus.id)) if focus.type == "DocumentReference" else None

    def verdict(self, requester: Requester, focus: Focus, at: datetime) -> Verdict | None:
        """Return the verdict by which a requester may see a focus at a moment; None where they may not."""
        document = self.document(focus)
        if document is None:
            return None
        visibility = rules.Visibility(requester, self.consents[focus.person_id], at)
        return visibility.verdict(document) if visibility.includes(document) else None

    def possible_readers(self, focus: Focus) -> frozenset[UUID]:
        """Return the keys of all who might see a focus: the patient, the holders of grants, author and depositor."""
        document = self.document(focus)
        if document is None:
            return frozenset()
        holders = (grant.holder_id for grant in self.consents[focus.person_id].grants)
        of_document = (document.person_id, document.author_id, document.depositor_id)
        return frozenset((*holders, *of_document))


async def load_snapshot(conn: Connection, access: Access, foci: Iterable[Focus]) -> FocusSnapshot:
    """Return the documents of foci and the consents on them, as of a transaction."""
    keys = list({(focus.person_id, focus.id) for focus in foci if focus.type == "DocumentReference"})
    documents = await store.fetch_documents(conn, keys)
    return FocusSnapshot(documents, await access.consents(conn, list({person_id for person_id, _ in documents})))
