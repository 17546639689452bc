"""Types of payments and their journal events. Amounts are euros with two decimals."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.services.incentives.decisions.model import PayeeKind


class OrderState(StrEnum):
    """The state of an order of payment."""

    READY = "ready"
    """It is paid with the next file, once the payee has a confirmed account."""
    HELD = "held"
    """Something is unusual: two operators decide."""
    REFUSED = "refused"
    SENT = "sent"
    PAID = "paid"
    REJECTED = "rejected"
    """The bank moved no money; it is paid with a next file."""
    CARRIED = "carried"
    """Nothing is left to pay; what is owed is taken off the next quarter."""


ORDER_NAMES = {
    OrderState.READY: N_("To be paid"),
    OrderState.HELD: N_("Held: being checked"),
    OrderState.REFUSED: N_("Payment refused"),
    OrderState.SENT: N_("Sent to the bank"),
    OrderState.PAID: N_("Paid"),
    OrderState.REJECTED: N_("Returned by the bank"),
    OrderState.CARRIED: N_("Taken off the next quarter"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a payee gets for a quarter by a scheme: `amount` is the sum of the lines and of what was `carried` over.

    `attempt` counts the files it was in, `cause` is the bank's reason code of a rejection.
    """

    order_id: UUID
    quarter: str
    scheme: str
    payee_kind: PayeeKind
    payee: str
    payee_name: str
    amount: Decimal
    carried: Decimal
    state: OrderState
    carried_into: str = ""
    file_id: UUID | None = None
    attempt: int = 0
    iban: str = ""
    cause: str = ""
    settled_at: datetime | None = None
    bank_reference: str = ""

    @property
    def end_to_end_id(self) -> str:
        """The order's id at the bank."""
        return self.order_id.hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The account of a payee, which an operator confirms (`state`: proposed, confirmed, replaced, refused)."""

    account_id: UUID
    payee_kind: PayeeKind
    payee: str
    holder: str
    iban: str
    entered_at: datetime
    entered_by: str
    entered_by_id: UUID
    state: str
    decided_at: datetime | None = None
    decided_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFile:
    """A file with orders for the bank (pain.001), kept as it was made; `content` may be left out."""

    file_id: UUID
    message_id: str
    made_at: datetime
    made_by: str
    orders: int
    amount: Decimal
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class BankAnswer:
    """What the bank says of an order: paid, or rejected with its reason code.

    A status names the file (`message_id`), a booked line has an amount and the bank's own `reference`.
    """

    end_to_end_id: str
    paid: bool
    cause: str = ""
    amount: Decimal | None = None
    reference: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What reading the bank's answers changed: orders that are now paid, rejected; answers that fit no order."""

    paid: int
    rejected: int
    unmatched: tuple[str, ...]


@event("incentives.account_changed")
class AccountChanged(Event, frozen=True, kw_only=True):
    """The account of a payee was entered, confirmed or refused (`change`); its number stays out of the journal."""

    account_id: UUID
    payee: str
    change: str


@event("incentives.payment_file_made")
class PaymentFileMade(Event, frozen=True, kw_only=True):
    """A file for the bank was made; `amount` is its sum (text)."""

    file_id: UUID
    message_id: str
    orders: int
    amount: str


@event("incentives.paid")
class IncentivePaid(Event, frozen=True, kw_only=True):
    """The bank paid an order. `euros`: its amount in whole euros, rounded half up, `amount` the exact one (text)."""

    order_id: UUID
    quarter: str
    scheme: str
    payee: str
    amount: str
    euros: int


@event("incentives.payment_rejected")
class PaymentRejected(Event, frozen=True, kw_only=True):
    """The bank rejected an order; `cause` is its reason code."""

    order_id: UUID
    cause: str
