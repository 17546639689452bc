"""Who may be told of what: the same decisions as for reading, for rooms that tell others of documents.

Looking tells the journal nothing. Who tells somebody of a document, tells the journal so (`Record.told`).
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
class Look:
    """Things in records as they are now, with what their persons allow now."""

    documents: Mapping[store.Key, Document]
    consents: Mapping[UUID, Consent]

    def document(self, focus: Focus) -> Document | None:
        """The document, or None where there is none."""
        return self.documents.get((focus.person_id, focus.id)) if focus.type == "DocumentReference" else None

    def verdict(self, requester: Requester, focus: Focus, at: datetime) -> Verdict | None:
        """The verdict by which a thing is there for a requester at a moment; None: it is not."""
        document = self.document(focus)
        if document is None:
            return None
        sight = rules.Sight(requester, self.consents[focus.person_id], at)
        return sight.verdict(document) if sight.sees(document) else None

    def concerned(self, focus: Focus) -> frozenset[UUID]:
        """Everybody for whom a thing may be there: the person, who has a grant, and who it comes from."""
        document = self.document(focus)
        if document is None:
            return frozenset()
        holders = (grant.holder_id for grant in self.consents[focus.person_id].grants)
        of_document = (document.person_id, document.author_id, document.depositor_id)
        return frozenset((*holders, *of_document))


async def look(conn: Connection, access: Access, foci: Iterable[Focus]) -> Look:
    """Look at things within a transaction."""
    keys = list({(focus.person_id, focus.id) for focus in foci if focus.type == "DocumentReference"})
    documents = await store.of_keys(conn, keys)
    return Look(documents, await access.consents(conn, list({person_id for person_id, _ in documents})))
