"""Reversals of immediate payments: end a validated note, and recover what was paid for it."""

from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, NOT_FOUND, Problem, clean_text
from esante.identity.access import Requester
from esante.identity.directory import Practitioner
from esante.services.billing.note import note_store
from esante.services.billing.note.service import Notes
from esante.services.billing.payment.model import Payment, PaymentState
from esante.services.billing.payment.service import Payments
from esante.services.billing.pid import simulation_store
from esante.services.billing.pid.cases import Cases
from esante.services.billing.pid.model import PaymentReversed, Simulation

MAX_MOTIVE = 200


class Reversals:
    """The validated notes of all professionals, and their end."""

    def __init__(self, db: Database, journal: Journal, notes: Notes, payments: Payments, cases: Cases) -> None:
        self._db, self._journal, self._notes = db, journal, notes
        self._payments, self._cases = payments, cases

    async def cancel(self, requester: Requester, note_id: UUID, motive: str) -> Payment:
        """Cancel a validated note: what was paid is recovered from the next payments. Returns the reversed payment.

        Raises: `Problem` 404 for an unknown note and for another's, 409 while the bank is being asked or once done.
        """
        motive = clean_text(motive, 1, MAX_MOTIVE, "motive")
        old = await self.validated(requester, note_id)
        async with self._db.transaction() as conn:
            return await self.end(conn, requester, old, motive=motive)

    async def payment(self, requester: Requester, note_id: UUID) -> Payment:
        """Return the payment of a note for which the requester may bill. Raises: `Problem` 404."""
        return (await self.validated(requester, note_id))[1]

    async def end(
        self,
        conn: Connection,
        requester: Requester,
        old: tuple[Simulation, Payment],
        *,
        motive: str = "",
        replaced_by_id: UUID | None = None,
    ) -> Payment:
        """End a validated note and reverse its payment, in a transaction."""
        person_id, note_id = old[1].person_id, old[1].note_id
        reversed_ = await self._payments.reverse(conn, person_id, note_id, clock.now())
        kept = await note_store.fetch_note(conn, person_id, note_id)
        if kept is None:
            raise Problem(404, "not-found", NOT_FOUND)
        await self._notes.end(conn, requester, kept, replaced_by_id=replaced_by_id)
        is_paid = reversed_.state is PaymentState.PAID
        event = PaymentReversed(
            payment_id=reversed_.id,
            note_id=note_id,
            provider_code=reversed_.provider_code,
            owed=reversed_.statutory if is_paid else reversed_.recovered,
            motive=motive,
            replaced_by_id=replaced_by_id,
        )
        await insert(conn, self._journal.rows_for(requester, event, person_id=person_id))
        return reversed_

    async def validated(self, requester: Requester, note_id: UUID) -> tuple[Simulation, Payment]:
        """Return the validated simulation and the payment of a note for which a requester may bill.

        Raises: `Problem` 404 when there is none.
        """
        for found in await simulation_store.fetch_paid(self._db, note_id):
            if found.payment and await self._cases.may_bill(requester, found.simulation.biller_id):
                return found.simulation, found.payment
        raise Problem(404, "not-found", NOT_FOUND)

    async def require_correctable(self, requester: Requester, biller: Practitioner, note_id: UUID) -> UUID:
        """Return the note that a new one of a biller is to replace. Raises: `Problem` 404, 409."""
        simulation, payment = await self.validated(requester, note_id)
        if simulation.biller_id != biller.id:
            raise Problem(404, "not-found", NOT_FOUND)
        if payment.cancelled_at is not None:
            raise Problem(409, "conflict", N_("This fee note was cancelled already."))
        return note_id
