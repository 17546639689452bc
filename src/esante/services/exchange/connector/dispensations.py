"""Takes dispensations from abroad and what takes them back: each is answered once, and then the same for ever."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from esante.core import clock
from esante.core.storage import INLINE_LIMIT, NIL, Database, Row
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.exchange.connector import dispensation_store as store
from esante.services.exchange.connector.dispensation_store import Answered, answered_row
from esante.services.exchange.connector.forms import coded_form, oid_of_key
from esante.services.exchange.connector.model import Dispensation, Submitted
from esante.services.exchange.connector.offers import PRESCRIPTION, offer_of
from esante.services.exchange.connector.prescriptions import ids_of
from esante.services.exchange.connector.record_access import open_record
from esante.services.exchange.hl7v3.model import InstanceId
from esante.services.exchange.model import NotUsable
from esante.services.record import Deposit, Document, Filters, Record

NOT_IDENTIFIABLE = "ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE"
NOT_DISPENSABLE = "ERROR_ED_NOT_DISPENSABLE_EPRESCRIPTION"
DISCARD_FAILED = "ERROR_ED_DISCARD_FAILED"
NO_RIGHTS, INCOMPLETE = "4703", "4511"
_GIVEN, _TAKEN_BACK = "dispensation", "discard"
_CONFIRMATION = "The dispensation names the patient by the identifier of the prescription."
_REASON = "Taken back by the pharmacy abroad."
_MAX_PRESCRIPTIONS = 200
_ANOTHER_VERSION = 409


class Dispensations:
    """The dispensations of prescriptions in the record."""

    def __init__(self, db: Database, directory: Directory, access: Access, record: Record) -> None:
        self._db, self._directory, self._access, self._record = db, directory, access, record

    def is_dispensed(self, answers: Sequence[Answered], prescription_id: UUID) -> bool:
        """Return whether a prescription (the first version of its document) was dispensed and not taken back."""
        taken_back = _count_discards(answers, prescription_id)
        return any(
            one.prescription_id == prescription_id and one.round == taken_back
            for one in answers
            if one.kind == _GIVEN and not one.outcome
        )

    async def submit(self, requester: Requester, patient: str, dispensation: Dispensation) -> Submitted:
        """Return the answer to a dispensation with the rows that make it so, for the write of its journal entry.

        Two at once for one prescription conflict in that write; the caller then asks again.
        """
        opening = await open_record(self._directory, self._access, requester, patient)
        person_id, verdict = opening.person_id, opening.verdict
        unknown = Submitted(outcome=NOT_IDENTIFIABLE, person_id=person_id, verdict=verdict)
        if not opening.allowed:
            return unknown
        answers = await store.fetch_answers(self._db, person_id)
        if (known := _answer_of(answers, dispensation, _GIVEN)) is not None:
            return Submitted(outcome=known.outcome, person_id=person_id, verdict=verdict)
        prescription = await self._find_prescription(requester, person_id, dispensation.named)
        if prescription is None:
            return unknown
        outcome, rows, record_id = NOT_DISPENSABLE, list[Row](), NIL
        if not self.is_dispensed(answers, prescription.series_id):
            outcome, rows, record_id = await self._deposit(requester, person_id, dispensation)
        if outcome not in ("", NOT_DISPENSABLE):
            return Submitted(outcome=outcome, person_id=person_id, verdict=verdict)
        answered = Answered(
            person_id=person_id,
            key=dispensation.key,
            kind=_GIVEN,
            document_id=dispensation.document_id,
            prescription_id=prescription.series_id,
            round=_count_discards(answers, prescription.series_id),
            outcome=outcome,
            record_id=record_id,
            country=requester.organization,
            at=clock.now(),
        )
        return Submitted(outcome=outcome, rows=[*rows, answered_row(answered)], person_id=person_id, verdict=verdict)

    async def discard(self, requester: Requester, patient: str, dispensation: Dispensation) -> Submitted:
        """Return the answer to what takes a dispensation back, with the rows that make it so."""
        opening = await open_record(self._directory, self._access, requester, patient)
        person_id, verdict = opening.person_id, opening.verdict
        failed = Submitted(outcome=DISCARD_FAILED, person_id=person_id, verdict=verdict)
        if not opening.allowed:
            return failed
        answers = await store.fetch_answers(self._db, person_id)
        if (known := _answer_of(answers, dispensation, _TAKEN_BACK)) is not None:
            return Submitted(outcome=known.outcome, person_id=person_id, verdict=verdict)
        given = _answer_of(answers, dispensation, _GIVEN)
        if given is None or given.outcome or not await self._withdraw(requester, person_id, given.record_id):
            return failed
        answered = Answered(
            person_id=person_id,
            key=dispensation.key,
            kind=_TAKEN_BACK,
            document_id=given.document_id,
            prescription_id=given.prescription_id,
            round=given.round,
            outcome="",
            record_id=given.record_id,
            country=requester.organization,
            at=clock.now(),
        )
        return Submitted(outcome="", rows=[answered_row(answered)], person_id=person_id, verdict=verdict)

    async def _deposit(
        self, requester: Requester, person_id: UUID, dispensation: Dispensation
    ) -> tuple[str, list[Row], UUID]:
        """Return the outcome of a deposit that is checked and not stored yet, its rows and its key."""
        if len(dispensation.content) > INLINE_LIMIT:
            return INCOMPLETE, [], NIL
        meta = Deposit(media_type="application/hl7-cda+xml", confirmation=_CONFIRMATION)
        try:
            prepared = await self._record.check_deposit(requester, person_id, dispensation.content, meta)
        except Problem as problem:
            return NO_RIGHTS if problem.status == 403 else INCOMPLETE, [], NIL
        return "", list(self._record.deposit_rows(requester, prepared)), prepared.document.id

    async def _withdraw(self, requester: Requester, person_id: UUID, document_id: UUID) -> bool:
        """Withdraw the document of a dispensation; return whether it is withdrawn, now or before."""
        try:
            await self._record.withdraw(requester, person_id, document_id, _REASON)
        except Problem as problem:
            return problem.status == _ANOTHER_VERSION
        return True

    async def _find_prescription(
        self, requester: Requester, person_id: UUID, named: frozenset[InstanceId]
    ) -> Document | None:
        """Return the prescription that has all the ids, among those that the requester may read."""
        offer = offer_of(PRESCRIPTION, today())
        types = tuple(offer.types) if offer else ()
        page = await self._record.timeline(requester, person_id, Filters(type=types), limit=_MAX_PRESCRIPTIONS)
        for document in page.documents:
            others = {one for one in named if one.root != oid_of_key(document.id)}
            if not others:
                return document
            _, content = await self._record.content(requester, person_id, document.id)
            try:
                root = await asyncio.to_thread(coded_form, document, content)
            except NotUsable:
                continue
            if others <= set(ids_of(root)):
                return document
        return None


def _answer_of(answers: Sequence[Answered], dispensation: Dispensation, kind: str) -> Answered | None:
    return next((one for one in answers if one.key == dispensation.key and one.kind == kind), None)


def _count_discards(answers: Sequence[Answered], prescription_id: UUID) -> int:
    return sum(one.kind == _TAKEN_BACK and one.prescription_id == prescription_id for one in answers)
