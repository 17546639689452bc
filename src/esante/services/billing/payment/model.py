"""Types of payments to professionals, of the ledger, and of their journal events. Amounts are euros, two decimals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.services.billing.note.model import NoteEvent

NOTHING = Decimal("0.00")


class PaymentState(StrEnum):
    """The state of a payment."""

    CREATED = "created"
    """Validated, not handed to the bank yet."""
    ASKED = "asked"
    """Handed to the bank, whose answer is not known: it is being asked."""
    PAID = "paid"
    REJECTED = "rejected"
    """The bank refused it and moved no money; it is paid again once the cause is mended."""
    WITHDRAWN = "withdrawn"
    """The note was cancelled before the bank was asked, or after it had refused: no money moves."""


class Account(StrEnum):
    """The accounts of the ledger. Those of a professional carry their provider code beside."""

    BENEFITS = "benefits"
    """What the insurance owes for acts (an expense)."""
    PAYABLE = "payable"
    """What is owed to a professional."""
    TRANSIT = "transit"
    """What the bank was asked to pay to a professional."""
    RECOVERABLE = "recoverable"
    """What a professional owes back, netted against their next payments."""
    BANK = "bank"
    """The money that left the insurance's account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One side of a ledger transaction: positive amounts are debits, negative ones credits; their sum is 0.

    `provider_code` is "" for the accounts of the insurance.
    """

    transaction_id: UUID
    account: Account
    provider_code: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The payment of one note: `amount` is the statutory part less `recovered`.

    `id` is the end-to-end id at the bank, and the identifier of the payment's initiation in the national message
    (identifiantInitiationPaiement). `simulation_id`: what was validated. `note_sha256`: of the validated content.
    """

    id: UUID
    person_id: UUID
    note_id: UUID
    provider_code: str
    amount: Decimal
    recovered: Decimal
    state: PaymentState
    created_at: datetime
    settled_at: datetime | None = None
    bank_line: str = ""
    cause: str = ""
    """The bank's reason code of a rejection (ISO 20022 external status reason)."""
    simulation_id: UUID | None = None
    note_sha256: bytes = b""
    cancelled_at: datetime | None = None
    """When the note was cancelled and what had been paid became recoverable."""

    @property
    def statutory(self) -> Decimal:
        """The share of the insurance (montantPartStatutaire)."""
        return self.amount + self.recovered


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What the bank is asked for a payment. `attempt` counts from 1; a rejected payment is asked again as the next.

    `message_id` identifies the file at the bank (MsgId), which executes each id once at most.
    """

    payment_id: UUID
    person_id: UUID
    note_id: UUID
    provider_code: str
    amount: Decimal
    attempt: int
    iban: str
    name: str
    asked_at: datetime
    failures: int = 0

    @property
    def message_id(self) -> str:
        """The id of the file: that of the payment, with the number of a further attempt (at most 35 characters)."""
        return self.payment_id.hex if self.attempt == 1 else f"{self.payment_id.hex}-{self.attempt}"


class PayeeState(StrEnum):
    """The state of an account to which a professional wants to be paid."""

    PROPOSED = "proposed"
    """It waits for an operator."""
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class NameMatch(StrEnum):
    """What the bank says of the name of an account's holder (verification of payee, EPC rulebook)."""

    MATCH = "MTCH"
    CLOSE = "CMTC"
    NO_MATCH = "NMTC"
    NOT_KNOWN = "NOAP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """The account of a professional or an association, by their provider code; the newest confirmed one is paid.

    `bank_name`: the name that the bank gave for a close match, "" otherwise.
    """

    id: UUID
    provider_code: str
    iban: str
    name: str
    match: NameMatch
    bank_name: str
    state: PayeeState
    proposed_by: UUID
    proposer: str
    proposed_at: datetime
    decided_at: datetime | None = None
    decider: str = ""

    @property
    def masked_iban(self) -> str:
        """The country, and the last four characters: what lists show."""
        return f"{self.iban[:2]} … {self.iban[-4:]}"


class LineFault(StrEnum):
    """Why a line of the bank's statement waits for an operator."""

    UNKNOWN = "unknown"
    """No payment has its end-to-end id."""
    AMOUNT = "amount"
    """The amount is not that of the payment."""
    TWICE = "twice"
    """Another line paid the same payment already."""
    WITHDRAWN = "withdrawn"
    """The payment was withdrawn after the bank had refused it."""
    RETURNED = "returned"
    """It is a credit: money came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """A line of the insurance's account as the bank reported it (camt.054); `reference` is the bank's own.

    `payment_id`: its end-to-end id, None when that is no id of ours. `fault` "": it is matched with a payment.
    """

    reference: str
    end_to_end_id: str
    payment_id: UUID | None
    amount: Decimal
    booked_at: datetime
    fault: str = ""
    resolved_at: datetime | None = None
    resolution: str = ""


@event("billing.payment_asked")
class PaymentAsked(Event, frozen=True, kw_only=True):
    """The bank was asked for a payment."""

    payment_id: UUID
    note_id: UUID
    provider_code: str
    amount: Decimal
    attempt: int


@event("billing.paid")
class Paid(NoteEvent, frozen=True, kw_only=True):
    """The bank moved the money of a payment."""

    ACTION: ClassVar[str] = "U"
    RESOURCE: ClassVar[str] = "PaymentReconciliation"
    FOLDS: ClassVar[bool] = False
    WORDS: ClassVar[str] = N_("Your health insurance paid its share of a fee note to the professional.")

    payment_id: UUID
    amount: Decimal


@event("billing.payment_rejected")
class PaymentRejected(Event, frozen=True, kw_only=True):
    """The bank refused a payment: its reason (`cause`, ISO 20022). The money is owed again."""

    payment_id: UUID
    note_id: UUID
    provider_code: str
    amount: Decimal
    attempt: int
    cause: str


@event("billing.payment_retried")
class PaymentRetried(Event, frozen=True, kw_only=True):
    """A refused payment may be asked again, since the account was changed, or an operator said so."""

    payment_id: UUID
    note_id: UUID
    provider_code: str


@event("billing.payee_proposed")
class PayeeProposed(Event, frozen=True, kw_only=True):
    """A professional named the account to which they want to be paid; its number is not in the journal."""

    payee_id: UUID
    provider_code: str
    match: str


@event("billing.payee_decided")
class PayeeDecided(Event, frozen=True, kw_only=True):
    """An account was confirmed or refused by an operator, or withdrawn by who proposed it (`state`)."""

    payee_id: UUID
    provider_code: str
    state: str


@event("billing.bank_line_unmatched")
class BankLineUnmatched(Event, frozen=True, kw_only=True):
    """A line of the bank's statement matches no payment that is to be paid (`fault`)."""

    reference: str
    fault: str
    amount: Decimal


@event("billing.bank_line_resolved")
class BankLineResolved(Event, frozen=True, kw_only=True):
    """An operator settled an unmatched line outside of the platform, and wrote how."""

    reference: str
    resolution: str
