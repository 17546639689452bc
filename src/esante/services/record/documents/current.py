"""The current documents of series, for services whose data belong to a document: who sees it sees them.

The decisions are those of reading the document. Nothing is journalled here: the service journals what it discloses.
"""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from esante.core import clock
from esante.core.storage import Database, DataLoader
from esante.identity.access import Access, Action, Requester, Verdict
from esante.services.record import rules
from esante.services.record.documents import store
from esante.services.record.model import Document, Status


@dataclass(frozen=True, slots=True)
class CurrentDocument:
    """The current document of a series, None where the requester may not see it or there is none.

    `verdict`: why they may see it, or may not; None where there is no such document.
    """

    document: Document | None
    verdict: Verdict | None


class CurrentDocuments:
    """Finds current documents that a requester may see."""

    def __init__(self, db: Database, access: Access) -> None:
        self._db, self._access = db, access
        self._series: DataLoader[store.SeriesKey, Document] = DataLoader(db, partial(store.fetch_last_versions, db))

    async def find(self, requester: Requester, person_id: UUID, series_id: UUID) -> CurrentDocument:
        """Return the current document of a series; what is read is the same whether there is one or not."""
        pending = self._series.load((person_id, series_id))
        consent, document = await self._access.consent(person_id), await pending
        if document is None:
            return CurrentDocument(None, None)
        visibility = rules.Visibility(requester, consent, clock.now(), Action.READ)
        verdict = visibility.verdict(document)
        is_shown = document.status is Status.CURRENT and visibility.includes(document)
        return CurrentDocument(document if is_shown else None, verdict)

    async def list(
        self, requester: Requester, person_id: UUID, category: str
    ) -> tuple[list[tuple[Document, Verdict]], Verdict]:
        """Return the current documents of a category of a person that the requester may read, with the verdicts.

        The last is the verdict on the list: that on its first document, or on the record where there is none.
        """
        visibility = rules.Visibility(requester, await self._access.consent(person_id), clock.now(), Action.READ)
        found = await store.fetch_current(self._db, person_id, category, visibility.filter)
        shown = [(one, visibility.verdict(one)) for one in found if visibility.includes(one)]
        return shown, shown[0][1] if shown else visibility.record_verdict()
