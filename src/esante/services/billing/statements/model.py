"""Types of what a patient sees of their fee notes. Amounts are euros with two decimals."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from esante.core.web import N_
from esante.services.billing.adjudication.model import Adjudication
from esante.services.billing.note.model import KeptNote
from esante.services.billing.payment.model import Payment
from esante.services.billing.ra.model import Reimbursement


class Standing(StrEnum):
    """How far a note is, over both ways."""

    TO_SEND = "to-send"
    """The patient has not asked the insurance for the money."""
    ASKED = "asked"
    REIMBURSED = "reimbursed"
    PAID = "paid"
    """The insurance paid its share to the professional."""
    BEING_PAID = "being-paid"
    CANCELLED = "cancelled"
    REPLACED = "replaced"


STANDING_NAMES = {
    Standing.TO_SEND: N_("Not sent to the health insurance"),
    Standing.ASKED: N_("Reimbursement requested"),
    Standing.REIMBURSED: N_("Reimbursed"),
    Standing.PAID: N_("Paid by the health insurance to the professional"),
    Standing.BEING_PAID: N_("Being paid by the health insurance to the professional"),
    Standing.CANCELLED: N_("Cancelled"),
    Standing.REPLACED: N_("Replaced by another fee note"),
}
"""The standings in words (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNote:
    """A note of a patient: `reimbursement` of accelerated reimbursement, or `payment` of immediate payment.

    `adjudication`: the decision on it, None where there is none; `estimated`: the insurance has not decided, and this
    is what the rules give.
    """

    note: KeptNote
    standing: Standing
    reimbursement: Reimbursement | None = None
    payment: Payment | None = None
    adjudication: Adjudication | None = None
    estimated: bool = False

    @property
    def insurance(self) -> Decimal | None:
        """The share of the insurance: what it paid, or else by the decision; None where neither is known."""
        if self.reimbursement is not None and self.reimbursement.amount is not None:
            return self.reimbursement.amount
        return self.adjudication.statutory if self.adjudication else None

    @property
    def own(self) -> Decimal | None:
        """What the patient bears of the note; None where the share of the insurance is not known."""
        return None if self.insurance is None else self.note.total - self.insurance

    @property
    def participation(self) -> Decimal:
        """The part of what the patient bears that counts for the yearly limit: without what is never reimbursed."""
        if self.adjudication is None:
            return Decimal("0.00")
        return sum((line.personal for line in self.adjudication.lines), Decimal("0.00"))


@dataclass(frozen=True, slots=True, kw_only=True)
class YearStatement:
    """What a patient paid in a year. `limit`: the participation that they bear at most, None where it is not known.

    `income`: the contributory income of the year before, by which the limit is set.
    """

    year: int
    notes: Sequence[OwnNote]
    income: Decimal | None
    limit: Decimal | None
    legal_source: str

    @property
    def charged(self) -> Decimal:
        """The sum of the notes."""
        return sum((one.note.total for one in self.notes), Decimal("0.00"))

    @property
    def insurance(self) -> Decimal:
        """The share of the insurance in them."""
        return sum((one.insurance or Decimal(0) for one in self.notes), Decimal("0.00"))

    @property
    def own(self) -> Decimal:
        """What the patient bore."""
        return sum((one.own or Decimal(0) for one in self.notes), Decimal("0.00"))

    @property
    def participation(self) -> Decimal:
        """What counts for the limit."""
        return sum((one.participation for one in self.notes), Decimal("0.00"))

    @property
    def above_limit(self) -> Decimal:
        """What the insurance refunds on request because it is above the limit."""
        return max(self.participation - self.limit, Decimal("0.00")) if self.limit is not None else Decimal("0.00")
