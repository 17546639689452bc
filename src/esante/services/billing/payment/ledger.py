"""The ledger: the transactions of double entry that each step of a payment writes. No I/O.

Each function returns the postings of one transaction, with none for an amount of nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from esante.core.storage import uuid7
from esante.services.billing.payment.model import Account, Payment, Posting


class TransactionKind(StrEnum):
    """What a transaction of the ledger records."""

    VALIDATED = "validated"
    """The insurance owes its share of a note."""
    RECOVERED = "recovered"
    """What a professional owed back is netted against what is owed to them."""
    ASKED = "asked"
    PAID = "paid"
    REJECTED = "rejected"
    REVERSED = "reversed"
    """A paid note was cancelled: the professional owes the insurance's share back."""
    WITHDRAWN = "withdrawn"
    """A note was cancelled before it was paid."""
    PAID_LATE = "paid_late"
    """The bank moved the money of a payment that it had refused."""


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """A transaction: its kind, the payment it is about, and its postings, whose amounts sum to 0."""

    kind: TransactionKind
    payment: Payment
    postings: tuple[Posting, ...]


_BENEFITS, _PAYABLE, _TRANSIT = Account.BENEFITS, Account.PAYABLE, Account.TRANSIT
_RECOVERABLE, _BANK = Account.RECOVERABLE, Account.BANK
_SIDES = {
    TransactionKind.VALIDATED: (_BENEFITS, _PAYABLE),
    TransactionKind.RECOVERED: (_PAYABLE, _RECOVERABLE),
    TransactionKind.ASKED: (_PAYABLE, _TRANSIT),
    TransactionKind.PAID: (_TRANSIT, _BANK),
    TransactionKind.REJECTED: (_TRANSIT, _PAYABLE),
    TransactionKind.REVERSED: (_RECOVERABLE, _BENEFITS),
    TransactionKind.PAID_LATE: (_PAYABLE, _BANK),
}
"""The accounts that a transaction debits and credits."""
_OF_INSURANCE = {Account.BENEFITS, Account.BANK}


def validated(payment: Payment) -> list[LedgerTransaction]:
    """Return the transactions of a new payment: what is owed, and what of it is netted."""
    at = payment.created_at
    found = [_move(TransactionKind.VALIDATED, payment, payment.statutory, at)]
    if payment.recovered:
        found.append(_move(TransactionKind.RECOVERED, payment, payment.recovered, at))
    return [one for one in found if one.postings]


def moved(kind: TransactionKind, payment: Payment, at: datetime) -> LedgerTransaction:
    """Return the transaction of a step at the bank (asked, paid, rejected, paid late), of the payment's amount."""
    return _move(kind, payment, payment.amount, at)


def reversed_(payment: Payment, at: datetime) -> LedgerTransaction:
    """Return the transaction of the cancellation of a paid note."""
    return _move(TransactionKind.REVERSED, payment, payment.statutory, at)


def withdrawn(payment: Payment, at: datetime) -> LedgerTransaction:
    """Return the transaction of the cancellation of a note that was not paid: what was netted is owed back again."""
    key, code = uuid7(), payment.provider_code
    amounts = (_PAYABLE, payment.amount), (_RECOVERABLE, payment.recovered), (_BENEFITS, -payment.statutory)
    postings = tuple(_posting(key, account, code, amount, at) for account, amount in amounts if amount)
    return LedgerTransaction(TransactionKind.WITHDRAWN, payment, postings)


def _move(kind: TransactionKind, payment: Payment, amount: Decimal, at: datetime) -> LedgerTransaction:
    debit, credit = _SIDES[kind]
    key, code = uuid7(), payment.provider_code
    postings = (_posting(key, debit, code, amount, at), _posting(key, credit, code, -amount, at)) if amount else ()
    return LedgerTransaction(kind, payment, postings)


def _posting(key: UUID, account: Account, provider_code: str, amount: Decimal, at: datetime) -> Posting:
    code = "" if account in _OF_INSURANCE else provider_code
    return Posting(transaction_id=key, account=account, provider_code=code, amount=amount, at=at)
