"""The file for the bank (ISO 20022 pain.001.001.09) with the orders of payees, written and checked by `sepaxml`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sepaxml import SepaTransfer

from esante.services.incentives.payments.model import Order

SCHEMA = "pain.001.001.09"


@dataclass(frozen=True, slots=True, kw_only=True)
class Debtor:
    """The account from which incentives are paid."""

    name: str
    iban: str


def write_payment_file(debtor: Debtor, orders: Sequence[tuple[Order, str]], on: date) -> tuple[str, bytes]:
    """Return the id of the message and the file with orders, each with the name of its account's holder.

    Raises: ValueError when there is no order, or one is not above zero.
    """
    if not orders or any(order.amount <= 0 for order, _ in orders):
        raise ValueError("a payment file needs orders above zero")
    transfer = SepaTransfer(
        {"name": debtor.name, "IBAN": debtor.iban, "batch": True, "currency": "EUR"}, schema=SCHEMA
    )
    for order, holder in orders:
        transfer.add_payment(
            {
                "name": holder,
                "IBAN": order.iban,
                "amount": int(order.amount * 100),
                "execution_date": on,
                "description": f"{order.scheme} {order.quarter}",
                "endtoend_id": order.end_to_end_id,
            }
        )
    return str(transfer.msg_id), bytes(transfer.export(validate=True))
