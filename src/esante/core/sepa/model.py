"""Types of payments over the bank. Amounts are euros with two decimals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHolder:
    """Who pays or is paid: the holder of an account, and its number."""

    name: str
    iban: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditTransfer:
    """One order of a file. `end_to_end_id` stays with the money up to the statement; `purpose` is for the payee.

    `instruction_id` is between payer and bank only ("": none).
    """

    end_to_end_id: str
    creditor: AccountHolder
    amount: Decimal
    purpose: str
    instruction_id: str = ""


class Outcome(StrEnum):
    """What is known of an order."""

    PAID = "paid"
    REJECTED = "rejected"
    OPEN = "open"
    """The bank has the order, or gave no answer: what became of it is not known."""
    NOT_KNOWN = "not_known"
    """The bank says that it does not have the order."""


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """What the bank says of an order; `cause`: its reason code for a refusal (ISO 20022 external status reason)."""

    outcome: Outcome
    cause: str = ""
    end_to_end_id: str = ""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What the bank says of a file (`whole`), and of its orders where it names them."""

    message_id: str
    whole: OrderStatus
    orders: tuple[OrderStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedLine:
    """A booked line of the statement; `reference`: the bank's own. `returned`: money came back, with its `cause`."""

    reference: str
    end_to_end_id: str
    amount: Decimal
    booked_at: datetime
    returned: bool
    cause: str = ""


def order_key(end_to_end_id: str) -> UUID | None:
    """Return the key of the order that an end-to-end id names (its 32 hexadecimal digits); None for any other id."""
    try:
        return UUID(hex=end_to_end_id) if len(end_to_end_id) == 32 else None
    except ValueError:
        return None
