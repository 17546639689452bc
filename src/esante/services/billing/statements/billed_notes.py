"""The use cases of a professional with the notes that they billed: follow them on both ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.storage import Database
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_offset_cursor
from esante.identity.access import Requester
from esante.identity.directory import Directory, Person, Practitioner
from esante.services.billing.adjudication.model import Adjudication
from esante.services.billing.note.model import FeeNote, KeptNote, NoteStatus
from esante.services.billing.note.service import FIRST, LAST, Notes
from esante.services.billing.payment.model import Payment, PaymentState
from esante.services.billing.payment.service import Payments
from esante.services.billing.ra.model import Reimbursement, State, Waiting
from esante.services.billing.ra.reimbursement_store import fetch_many, fetch_waiting
from esante.services.billing.statements.statement_store import count_stuck, fetch_decisions


class BilledStanding(StrEnum):
    """How far a note is, for who billed it."""

    WAITING = "waiting"
    GIVEN_UP = "given-up"
    """It could not be delivered to the insurance, and is not tried any more by itself."""
    DELIVERED = "delivered"
    REIMBURSED = "reimbursed"
    TO_PAY = "to-pay"
    BEING_ASKED = "being-asked"
    """The bank has not said whether it paid; it is being asked."""
    PAID = "paid"
    BANK_REFUSED = "bank-refused"
    CANCELLED = "cancelled"
    REPLACED = "replaced"


BILLED_NAMES = {
    BilledStanding.WAITING: N_("Waiting to be sent to the health insurance"),
    BilledStanding.GIVEN_UP: N_("Not delivered"),
    BilledStanding.DELIVERED: N_("Delivered to the health insurance"),
    BilledStanding.REIMBURSED: N_("Reimbursed to the patient"),
    BilledStanding.TO_PAY: N_("To be paid"),
    BilledStanding.BEING_ASKED: N_("The bank is being asked"),
    BilledStanding.PAID: N_("Paid to you"),
    BilledStanding.BANK_REFUSED: N_("Refused by the bank"),
    BilledStanding.CANCELLED: N_("Cancelled"),
    BilledStanding.REPLACED: N_("Replaced by another fee note"),
}
"""The standings in words (msgids)."""
_PAYMENT = {
    PaymentState.CREATED: BilledStanding.TO_PAY,
    PaymentState.ASKED: BilledStanding.BEING_ASKED,
    PaymentState.PAID: BilledStanding.PAID,
    PaymentState.REJECTED: BilledStanding.BANK_REFUSED,
    PaymentState.WITHDRAWN: BilledStanding.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledNote:
    """A note that a professional billed. `waiting`: the message about it that waits for the insurance."""

    note: KeptNote
    standing: BilledStanding
    patient: str = ""
    reimbursement: Reimbursement | None = None
    waiting: Waiting | None = None
    payment: Payment | None = None
    adjudication: Adjudication | None = None


def billed_standing(
    note: KeptNote, reimbursement: Reimbursement | None, waiting: Waiting | None, payment: Payment | None
) -> BilledStanding:
    """Return how far a note is, for who billed it."""
    if note.status is NoteStatus.REPLACED:
        return BilledStanding.REPLACED
    if note.status is NoteStatus.CANCELLED:
        return BilledStanding.CANCELLED
    if payment is not None:
        return _PAYMENT[payment.state]
    if waiting is not None and waiting.dead:
        return BilledStanding.GIVEN_UP
    if reimbursement is not None and reimbursement.state is State.REIMBURSEMENT_SENT:
        return BilledStanding.REIMBURSED
    return BilledStanding.DELIVERED if note.sent_at is not None else BilledStanding.WAITING


class BilledNotes:
    """The notes that professionals billed."""

    def __init__(self, db: Database, directory: Directory, notes: Notes, payments: Payments) -> None:
        self._db, self._directory, self._notes, self._payments = db, directory, notes, payments

    async def biller(self, requester: Requester) -> Practitioner:
        """Return the professional who bills: the requester, or in whose name they act. Raises: Problem 404."""
        found = await self._directory.practitioner(requester.id) if requester.kind == "practitioner" else None
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return found

    def codes(self, biller: Practitioner) -> list[str]:
        """Return the provider codes of a professional."""
        uri = self._directory.catalogue.system("provider_code").uri
        return [one.value for one in biller.identifiers if one.system == uri]

    async def search(
        self,
        requester: Requester,
        received: tuple[datetime, datetime] = (FIRST, LAST),
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page[BilledNote]:
        """Return a page of the requester's notes that came between two moments, the latest first.

        Raises: Problem 404, 400 for a wrong cursor.
        """
        biller, start = await self.biller(requester), decode_offset_cursor(cursor)
        page = await self._notes.of_biller(requester, biller, received, start, limit)
        return Page(await self._with_standing(page.items), page.next)

    async def stuck(self, requester: Requester) -> tuple[int, int]:
        """Return how many of the requester's notes were not delivered, and how many payments the bank refused.

        Raises: Problem 404 for others than professionals.
        """
        biller = await self.biller(requester)
        return await count_stuck(self._db, biller.id, self.codes(biller))

    async def read(self, requester: Requester, note_id: UUID) -> tuple[BilledNote, FeeNote, Person]:
        """Return a note of the requester with its content and its patient. Raises: Problem 404 when there is none."""
        biller = await self.biller(requester)
        for code in self.codes(biller):
            person_id = await self._notes.find_of_biller(code, note_id)
            person = await self._directory.person(person_id) if person_id else None
            if person is not None:
                kept, content = await self._notes.read(requester, person.id, note_id)
                (billed,) = await self._with_standing([kept])
                return billed, content, person
        raise Problem(404, "not-found", NOT_FOUND)

    async def _with_standing(self, notes: Sequence[KeptNote]) -> list[BilledNote]:
        keys = [(one.person_id, one.note_id) for one in notes]
        stored, waits = await fetch_many(self._db, keys), await fetch_waiting(self._db, keys)
        reimbursements = {(one.person_id, one.note_id): one for one in stored}
        waiting = {(one.person_id, one.note_id): one for one in waits}
        payments = await self._payments.of_notes(keys)
        decisions = await fetch_decisions(self._db, keys)
        persons = await self._directory.persons({one.person_id for one in notes})
        found = []
        for key, note in zip(keys, notes, strict=True):
            reimbursement, message, payment = reimbursements.get(key), waiting.get(key), payments.get(key)
            found.append(
                BilledNote(
                    note=note,
                    standing=billed_standing(note, reimbursement, message, payment),
                    patient=persons[note.person_id].name if note.person_id in persons else "",
                    reimbursement=reimbursement,
                    waiting=message,
                    payment=payment,
                    adjudication=decisions.get(key),
                )
            )
        return found
