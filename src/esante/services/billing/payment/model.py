"""Types of payments to professionals and of the ledger. Amounts are euros with two decimals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class PaymentState(StrEnum):
    """The state of a payment."""

    CREATED = "created"
    """Validated, not handed to the bank yet."""
    ASKED = "asked"
    """Handed to the bank, whose answer is not known: it is being asked."""
    PAID = "paid"
    REJECTED = "rejected"
    """The bank refused it and moved no money; it is paid again once the cause is mended."""


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

    `id` is the end-to-end id at the bank.
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
