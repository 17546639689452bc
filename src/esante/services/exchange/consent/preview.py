"""Shows a patient what a doctor abroad would see: the summary that would be sent, in the language of the country."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Access, Action, Consent, Grant, GrantKind, Purpose, Requester, decide
from esante.services.exchange.connector.abroad import professional_abroad
from esante.services.exchange.connector.forms import CODED_KINDS, coded_form, to_pivot
from esante.services.exchange.connector.offers import offer_of
from esante.services.exchange.consent.countries import country_key
from esante.services.exchange.country_b.readable import Readable, read_document
from esante.services.exchange.terminology import CodeCatalogue
from esante.services.record import Document, Filters, Record, item_of

SUMMARY = "60591-5"
_DOCTOR = "221"


@dataclass(frozen=True, slots=True)
class Preview:
    """The summary that a doctor would get; `shown` None: as the file that was added, without codes to translate."""

    document: Document
    shown: Readable | None


class SummaryPreview:
    """Makes previews. `catalogue` gives the codes in force."""

    def __init__(self, record: Record, access: Access, catalogue: Callable[[], CodeCatalogue]) -> None:
        self._record, self._access, self._catalogue = record, access, catalogue

    async def make(self, requester: Requester, country: str, language: str) -> Preview | None:
        """Return what a doctor of a country would get of the requester, a patient; None where there is nothing.

        It is decided as for that doctor, as if there were a consent for the country. Raises: `NotUsable`.
        """
        document = await self._find(requester, country)
        if document is None:
            return None
        _, content = await self._record.content(requester, requester.id, document.id)
        if document.kind not in CODED_KINDS:
            return Preview(document, None)
        return Preview(document, await asyncio.to_thread(self._read, document, content, language))

    async def _find(self, requester: Requester, country: str) -> Document | None:
        """Return the newest summary that a doctor of a country may read."""
        offer = offer_of(SUMMARY, today())
        if offer is None:
            return None
        doctor = professional_abroad(country, country, "", country, _DOCTOR, country, on=today())
        consent = _with_consent(await self._access.consent(requester.id), country)
        page = await self._record.timeline(requester, requester.id, Filters(type=tuple(offer.types)))
        for document in page.documents:
            verdict = decide(consent, doctor, Action.READ, item_of(document), Purpose.TREATMENT, clock.now())
            if verdict.allowed and not document.misfiled:
                return document
        return None

    def _read(self, document: Document, content: bytes, language: str) -> Readable:
        catalogue = self._catalogue()
        return read_document(to_pivot(coded_form(document, content), catalogue).document, language, catalogue)


def _with_consent(consent: Consent, country: str) -> Consent:
    """Return a consent with a grant to a country."""
    grant = Grant(
        id=uuid7(),
        person_id=consent.person_id,
        kind=GrantKind.COUNTRY,
        holder_kind="country",
        holder_id=country_key(country),
        since=clock.now(),
    )
    return replace(consent, grants=(*consent.grants, grant))
