"""The national connector over the shared record: each call asks access, and reads through the record alone."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from uuid import UUID

from esante.core.storage import NIL, Database
from esante.core.time_zone import today
from esante.core.web import FontsMissing, Problem
from esante.core.xds import Coded
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory, Person
from esante.services.exchange.connector import dispensation_store as store
from esante.services.exchange.connector.dispensations import Dispensations
from esante.services.exchange.connector.forms import (
    CODED_KINDS,
    coded_form,
    format_of_pdf,
    parse_unique_id,
    pdf_form,
    to_pivot,
    unique_id,
)
from esante.services.exchange.connector.model import (
    Dispensation,
    Fetched,
    Form,
    Found,
    Offered,
    OfferedList,
    Submitted,
)
from esante.services.exchange.connector.offers import Offer, offers_on
from esante.services.exchange.connector.patients import find_by_id, matches, patient_of
from esante.services.exchange.connector.prescriptions import events_of
from esante.services.exchange.connector.record_access import decide_record, open_record
from esante.services.exchange.conversion import cda_to_fhir
from esante.services.exchange.hl7v3.model import PatientQuery
from esante.services.exchange.model import NotUsable
from esante.services.exchange.terminology import CodeCatalogue
from esante.services.exchange.translation import Translation
from esante.services.record import Document, Filters, Record, Status

FHIR_FORMAT = "urn:ihe:iti:xds:2017:mimeTypeSufficient"
MAX_LISTED = 200
"""Documents of a list at most, the newest."""


class RecordConnector:
    """Answers the six calls from the record of this platform. `custodian`: the OID of this contact point."""

    def __init__(
        self,
        db: Database,
        directory: Directory,
        access: Access,
        record: Record,
        catalogue: CodeCatalogue,
        custodian: str,
    ) -> None:
        self._db, self._directory, self._access, self._record = db, directory, access, record
        self._catalogue, self._custodian = catalogue, custodian
        self._dispensations = Dispensations(db, directory, access, record)

    async def find_patients(self, requester: Requester, query: PatientQuery) -> Found:
        """Return the patients of a query; each identifier costs the same, whether somebody has it or not."""
        found: dict[UUID, Found] = {}
        about = Found()
        for id_ in query.ids:
            person = await find_by_id(self._directory, id_)
            key = person.id if person else NIL
            verdict = await decide_record(self._access, requester, key)
            if person is None:
                continue
            about = Found(person_id=person.id, verdict=verdict)
            if verdict.allowed and matches(person, query):
                found[person.id] = Found(patients=[patient_of(person, id_)], person_id=person.id, verdict=verdict)
        if len(found) == 1:
            return next(iter(found.values()))
        patients = [patient for one in found.values() for patient in one.patients]
        return Found(patients=patients) if patients else about

    async def list_documents(self, requester: Requester, patient: str, offers: Sequence[Offer]) -> OfferedList:
        """Return the documents of some classes of a patient."""
        opening = await open_record(self._directory, self._access, requester, patient)
        if not opening.allowed:
            return OfferedList(person_id=opening.person_id, verdict=opening.verdict)
        documents = await self._visible(requester, opening.person_id, offers)
        return OfferedList(
            documents=[form for document, offer in documents for form in _forms(document, offer)],
            is_open=True,
            person_id=opening.person_id,
            verdict=opening.verdict,
        )

    async def list_prescriptions(self, requester: Requester, patient: str, offer: Offer) -> OfferedList:
        """Return the prescriptions of a patient; each is read, since its entry in the list says what it prescribes."""
        opening = await open_record(self._directory, self._access, requester, patient)
        if not opening.allowed:
            return OfferedList(person_id=opening.person_id, verdict=opening.verdict)
        answers = await store.fetch_answers(self._db, opening.person_id)
        listed: list[Offered] = []
        for document, _ in await self._visible(requester, opening.person_id, [offer]):
            is_open = not self._dispensations.is_dispensed(answers, document.series_id)
            _, content = await self._record.content(requester, opening.person_id, document.id)
            try:
                root = await asyncio.to_thread(coded_form, document, content)
                events = events_of(root, is_open=is_open)
            except NotUsable:
                continue
            listed += _forms(document, offer, events)
        return OfferedList(documents=listed, is_open=True, person_id=opening.person_id, verdict=opening.verdict)

    async def fetch(self, requester: Requester, patient: str, unique_id: str, classes: Collection[str]) -> Fetched:
        """Return a document in the form of its unique id; the record decides on it before it is opened."""
        document_id, form = parse_unique_id(unique_id)
        opening = await open_record(self._directory, self._access, requester, patient)
        missing = Fetched(person_id=opening.person_id, verdict=opening.verdict)
        if not opening.allowed:
            return missing
        offers = {type_: one for one in offers_on(today()) if one.class_code in classes for type_ in one.types}

        def is_offered(document: Document) -> bool:
            return document.status is Status.CURRENT and document.type in offers

        try:
            document, content = await self._record.content(
                requester, opening.person_id, document_id, matching=is_offered
            )
        except Problem:
            return missing
        offer = offers[document.type]
        if form is Form.CODED and not offer.coded:
            return missing
        if form is Form.BUNDLE and document.kind not in CODED_KINDS:
            return missing
        person = await self._directory.person(opening.person_id)
        assert person is not None
        made = await asyncio.to_thread(self._make, document, content, person, offer, form)
        return Fetched(
            content=made.document if isinstance(made, Translation) else None if isinstance(made, str) else made,
            offer=offer,
            fault=made if isinstance(made, str) else "",
            translation=made if isinstance(made, Translation) else None,
            person_id=opening.person_id,
            verdict=opening.verdict,
        )

    async def submit(self, requester: Requester, patient: str, dispensation: Dispensation) -> Submitted:
        """Take a dispensation."""
        return await self._dispensations.submit(requester, patient, dispensation)

    async def discard(self, requester: Requester, patient: str, dispensation: Dispensation) -> Submitted:
        """Take back a dispensation."""
        return await self._dispensations.discard(requester, patient, dispensation)

    def _make(
        self, document: Document, content: bytes, person: Person, offer: Offer, form: Form
    ) -> bytes | Translation | str:
        """Return a document in a form, or the code of the fault for which it cannot be made."""
        area = offer.missing.removesuffix("NOT_FOUND")
        if form is Form.PDF:
            try:
                return pdf_form(document, content, person, offer, self._custodian)
            except (NotUsable, FontsMissing, RuntimeError):
                return f"{area}PDF_FORMAT_NOT_PROVIDED"
        if form is Form.BUNDLE:
            return _bundle(document, content) or f"{area}MISSING_EXPECTED_MAPPING"
        try:
            return to_pivot(coded_form(document, content), self._catalogue)
        except NotUsable:
            return f"{area}MISSING_EXPECTED_MAPPING"

    async def _visible(
        self, requester: Requester, person_id: UUID, offers: Sequence[Offer]
    ) -> list[tuple[Document, Offer]]:
        """Return the documents of some offers that the requester may see, the newest first."""
        by_type = {type_: one for one in offers for type_ in one.types}
        read = partial(self._record.timeline, requester, person_id)
        page = await read(Filters(type=tuple(by_type)), limit=MAX_LISTED)
        found: list[tuple[Document, Offer]] = []
        newest: set[str] = set()
        for document in page.documents:
            offer = by_type[document.type]
            if offer.newest and offer.class_code in newest:
                continue
            newest.add(offer.class_code)
            found.append((document, offer))
        return found


def _bundle(document: Document, content: bytes) -> bytes:
    """Return a document as one of FHIR: the deposited bytes, or CDA converted; b"" where that fails."""
    if document.kind == "fhir":
        return content
    try:
        return cda_to_fhir(content).encoded()
    except NotUsable:
        return b""


def _forms(document: Document, offer: Offer, events: Sequence[Coded] = ()) -> Iterator[Offered]:
    """Yield the forms in which a document is listed: text alone is none that crosses borders."""
    has_coded = document.kind in CODED_KINDS and offer.coded != ""
    formats = {
        Form.CODED: offer.coded if has_coded else "",
        Form.PDF: format_of_pdf(offer, document.media_type),
        Form.BUNDLE: FHIR_FORMAT if document.kind in CODED_KINDS else "",
    }
    for form, format_code in formats.items():
        if document.kind == "text" or not format_code:
            continue
        yield Offered(
            unique_id=unique_id(document.id, form),
            form=form,
            offer=offer,
            created_at=document.deposited_at,
            title=document.title or offer.display,
            language=document.language or "fr",
            format_code=format_code,
            author=document.author,
            institution=document.organization,
            other=unique_id(document.id, Form.CODED) if has_coded and form is Form.PDF else "",
            events=events,
        )
