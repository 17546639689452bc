"""Pure rules of statements: how far a note is for the patient, and the limit of participation of a year."""

from decimal import ROUND_HALF_UP, Decimal

from esante.services.billing.note.model import KeptNote, NoteStatus
from esante.services.billing.payment.model import Payment, PaymentState
from esante.services.billing.ra.model import Reimbursement, State
from esante.services.billing.statements.model import Standing
from esante.services.billing.statements.terms import ParticipationTerms

_CENT = Decimal("0.01")


def standing_of(note: KeptNote, reimbursement: Reimbursement | None, payment: Payment | None) -> Standing:
    """Return how far a note is. A payment whose outcome is not known is being paid, never failed."""
    if note.status is NoteStatus.REPLACED:
        return Standing.REPLACED
    if note.status is NoteStatus.CANCELLED:
        return Standing.CANCELLED
    if payment is not None:
        return Standing.PAID if payment.state is PaymentState.PAID else Standing.BEING_PAID
    if reimbursement is not None and reimbursement.state is State.REIMBURSEMENT_SENT:
        return Standing.REIMBURSED
    if reimbursement is not None and reimbursement.state is State.REIMBURSEMENT_ASKED:
        return Standing.ASKED
    return Standing.TO_SEND


def participation_limit(income: Decimal | None, terms: ParticipationTerms) -> Decimal | None:
    """Return the participation that somebody bears at most in a year, in cents half up; None without an income."""
    if income is None or income < 0:
        return None
    return (income * terms.share).quantize(_CENT, ROUND_HALF_UP)
