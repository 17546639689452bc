"""Answers lists of documents (XCA, ITI-38)."""

import re
from collections.abc import Sequence
from uuid import UUID, uuid5

from esante.core.time_zone import today
from esante.core.xds import (
    APPROVED,
    FIND_DOCUMENTS,
    TRANSFORMS,
    Association,
    Coded,
    DocumentEntry,
    Listing,
    RegistryError,
    StoredQuery,
    read_query,
    write_listing,
)
from esante.services.exchange.assertions.model import Refused
from esante.services.exchange.assertions.rules import Act
from esante.services.exchange.connector import Form, NationalConnector, Offer, Offered, OfferedList, offers_on
from esante.services.exchange.connector.offers import PRESCRIPTION
from esante.services.exchange.country_a.authentication import Authentication
from esante.services.exchange.country_a.faults import CLASS_CODE, TOO_MANY, error_of
from esante.services.exchange.country_a.limits import RequestLimits
from esante.services.exchange.country_a.model import Answered, Asking, Incoming

ACTION = "urn:ihe:iti:2007:CrossGatewayQueryResponse"
_LOINC = "2.16.840.1.113883.6.1"
_FORMATS, _PRACTICE = "eHDSI formatCodes", "eHDSI Practice Setting Codes-Not Used"
_NAMES = UUID("3f0c7a5e-6a0f-5a8c-b2a4-5ad5d7a1c0de")
_MOMENT = re.compile(r"\d{8,14}")
_MIME_TYPE = "text/xml"


class DocumentQueries:
    """The transaction over a national connector. `country`, `home`: of this contact point."""

    def __init__(
        self,
        authentication: Authentication,
        limits: RequestLimits,
        connector: NationalConnector,
        country: str,
        home: str,
    ) -> None:
        self._authentication, self._limits, self._connector = authentication, limits, connector
        self._country, self._home = country, home

    async def answer(self, incoming: Incoming) -> Answered:
        """Return the answer. Raises: `Malformed`."""
        query = read_query(incoming.content)
        patient = query.one("$XDSDocumentEntryPatientId")
        codes = [one.partition("^")[0] for one in query.parameters.get("$XDSDocumentEntryClassCode", [])]
        class_code = "|".join(codes)[:200]
        known = {one.class_code: one for one in offers_on(today()) if one.class_code in incoming.point.asks}
        offers = [known[code] for code in dict.fromkeys(codes) if code in known]
        acts = [one.act for one in offers] or [Act.SUMMARY]
        try:
            asking, _ = self._authentication.treat(incoming, acts, patient)
        except Refused as refused:
            return _fail(error_of(refused), class_code)
        if not await self._limits.admit(asking.requester, incoming.point.country, patient, is_search=False):
            return _fail(TOO_MANY, class_code, asking)
        if query.id != FIND_DOCUMENTS:
            return _fail(RegistryError("XDSUnknownStoredQuery", "FindDocuments is answered only."), class_code, asking)
        if not offers or len(offers) != len(set(codes)):
            return _fail(RegistryError(CLASS_CODE, "This class of documents is not offered."), class_code, asking)
        if denied := [one for one in offers if not self._authentication.allows(incoming, asking, one.act)]:
            error = RegistryError("4703", f"A permission for {denied[0].class_code} is missing.")
            return _fail(error, class_code, asking)
        found = await self._find(asking, patient, offers)
        shown = _filtered([one for one in found.documents if one.form is not Form.BUNDLE], query)
        errors = [_missing(one) for one in offers if not any(each.offer == one for each in shown)]
        listing = Listing(
            documents=[self._entry(one, patient) for one in shown],
            associations=list(_associations(shown)),
            errors=errors,
            is_failure=not shown and any(one.fails for one in offers),
        )
        return Answered(
            content=write_listing(listing),
            outcome=errors[0].code if errors else "",
            class_code=class_code,
            patient=patient,
            person_id=found.person_id,
            verdict=found.verdict,
            documents=[one.unique_id for one in shown],
            asking=asking,
        )

    async def _find(self, asking: Asking, patient: str, offers: Sequence[Offer]) -> OfferedList:
        """Return what the connector has of some classes: prescriptions by their own call."""
        others = [one for one in offers if one.class_code != PRESCRIPTION]
        lists = [
            await self._connector.list_prescriptions(asking.requester, patient, one)
            for one in offers
            if one.class_code == PRESCRIPTION
        ]
        if others:
            lists.append(await self._connector.list_documents(asking.requester, patient, others))
        documents = [document for one in lists for document in one.documents]
        last = lists[-1]
        return OfferedList(documents=documents, is_open=last.is_open, person_id=last.person_id, verdict=last.verdict)

    def _entry(self, one: Offered, patient: str) -> DocumentEntry:
        coded = Coded(one.offer.class_code, _LOINC, one.offer.display)
        return DocumentEntry(
            entry_uuid=_uuid_of(one.unique_id),
            unique_id=one.unique_id,
            patient_id=patient,
            mime_type=_MIME_TYPE,
            class_code=coded,
            type_code=coded,
            format_code=Coded(one.format_code, _FORMATS, _form_name(one.form)),
            repository_id=self._home,
            home=f"urn:oid:{self._home}",
            source_patient_id=patient,
            created=one.created_at.strftime("%Y%m%d%H%M%S"),
            language=one.language,
            title=one.title,
            status=APPROVED,
            facility_type=Coded(self._country, "1.0.3166.1", self._country),
            practice_setting=Coded("Not Used", _PRACTICE, "Not Used"),
            confidentiality=[Coded("N", "2.16.840.1.113883.5.25", "Normal")],
            events=one.events,
            authors=[f"^{one.author}"] if one.author else (),
            institutions=[one.institution] if one.institution else (),
        )


def _uuid_of(unique_id: str) -> str:
    return uuid5(_NAMES, unique_id).urn


def _form_name(form: Form) -> str:
    return "Coded document" if form is Form.CODED else "PDF in a clinical document"


def _associations(shown: Sequence[Offered]) -> list[Association]:
    """Return what says that a PDF is a transform of the coded document."""
    return [Association(TRANSFORMS, _uuid_of(one.unique_id), _uuid_of(one.other)) for one in shown if one.other]


def _filtered(documents: Sequence[Offered], query: StoredQuery) -> list[Offered]:
    """Return the documents within the times that a query names; other filters are hints that clients apply too."""
    after, before = (query.one(f"$XDSDocumentEntryFilterCreated{name}")[:8] for name in ("After", "Before"))
    after, before = (one if _MOMENT.fullmatch(one) else "" for one in (after, before))
    return [
        one
        for one in documents
        if (not after or f"{one.created_at:%Y%m%d}" >= after) and (not before or f"{one.created_at:%Y%m%d}" <= before)
    ]


def _missing(offer: Offer) -> RegistryError:
    return RegistryError(offer.missing, "There is no document that can be sent.", is_warning=True)


def _fail(error: RegistryError, class_code: str, asking: Asking | None = None) -> Answered:
    content = write_listing(Listing(errors=[error], is_failure=True))
    return Answered(content=content, outcome=error.code, class_code=class_code, asking=asking)
