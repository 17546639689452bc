"""The mock bank takes a file of several orders: each is answered, none is executed twice."""

from datetime import date
from decimal import Decimal

from lxml import etree
from sepaxml import SepaTransfer

from esante.services.billing.mocks.bank import Behaviour, MockBank

DEBTOR, GOOD, BAD = "LU280019400644750000", "LU120010001234567891", "LU360029152460050000"


def payment_file(*orders: tuple[str, str, int]) -> bytes:
    """Return a pain.001 of orders: end-to-end id, IBAN, cents."""
    transfer = SepaTransfer({"name": "Payer", "IBAN": DEBTOR, "batch": True, "currency": "EUR"}, "pain.001.001.09")
    for end_to_end_id, iban, cents in orders:
        transfer.add_payment(
            {
                "name": "Payee",
                "IBAN": iban,
                "amount": cents,
                "execution_date": date(2027, 1, 4),
                "description": "test",
                "endtoend_id": end_to_end_id,
            }
        )
    return bytes(transfer.export(validate=True))


def statuses(answer: bytes | None) -> dict[str, str]:
    assert answer is not None
    root = etree.fromstring(answer)
    return {one.findtext("{*}OrgnlEndToEndId"): one.findtext("{*}TxSts") for one in root.iterfind(".//{*}TxInfAndSts")}


def test_file_of_several_orders_is_answered_order_by_order_and_executed_once():
    bank = MockBank(Behaviour(reject="AC04", reject_ibans=frozenset({BAD})))
    data = payment_file(("a", GOOD, 700), ("b", BAD, 40_000), ("c", GOOD, 123))
    message_id = bank.take(data)
    assert bank.take(data) == message_id
    answer = bank.status(message_id)
    assert statuses(answer) == {"a": "ACSC", "b": "RJCT", "c": "ACSC"}
    assert answer is not None and b"<GrpSts>PART</GrpSts>" in answer
    assert bank.paid == {"a": [Decimal("7")], "c": [Decimal("1.23")]}
    statement = bank.statement(0)
    assert statement is not None and statement[1] == 2


def test_order_that_was_paid_in_another_file_is_refused_as_duplicate():
    bank = MockBank()
    bank.take(payment_file(("a", GOOD, 700)))
    second = bank.take(payment_file(("a", GOOD, 700), ("b", GOOD, 100)))
    assert statuses(bank.status(second)) == {"a": "RJCT", "b": "ACSC"}
    assert bank.total == Decimal("8")
