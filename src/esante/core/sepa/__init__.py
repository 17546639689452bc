"""Payments over the bank: account numbers, orders (pain.001), and what the bank answers (pain.002, camt.054)."""

from esante.core.sepa.account_number import parse_iban
from esante.core.sepa.bank_messages import MAX_BYTES, BadMessage, read_lines, read_message, read_status
from esante.core.sepa.credit_transfer import MAX_NAME, sepa_text, write_credit_transfers
from esante.core.sepa.model import (
    AccountHolder,
    BookedLine,
    CreditTransfer,
    OrderStatus,
    Outcome,
    StatusReport,
    order_key,
)

__all__ = [
    "MAX_BYTES",
    "MAX_NAME",
    "AccountHolder",
    "BadMessage",
    "BookedLine",
    "CreditTransfer",
    "OrderStatus",
    "Outcome",
    "StatusReport",
    "order_key",
    "parse_iban",
    "read_lines",
    "read_message",
    "read_status",
    "sepa_text",
    "write_credit_transfers",
]
