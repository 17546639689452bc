"""The order of a payment, valid under the schema and read by a second library, and what the bank answers to it."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pyiso20022.pain.pain_001_001_09 import Document
from xsdata.formats.dataclass.parsers import XmlParser

from esante.core.sepa import BadMessage, BookedLine, Outcome, read_lines, read_status
from esante.services.billing.mocks.bank import Behaviour, MockBank
from esante.services.billing.payment.bank import bank_line, instant_order
from esante.services.billing.payment.model import LineFault, Transfer
from tests.support.immediate_payment import DEBTOR, IBAN

SCHEMA = etree.XMLSchema(etree.parse(str(files("sepaxml") / "schemas" / "pain.001.001.09.xsd")))
amounts = st.decimals(Decimal("0.01"), Decimal("999999.99"), places=2)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
transfers = st.builds(
    Transfer,
    payment_id=st.uuids(),
    person_id=st.uuids(),
    note_id=st.uuids(),
    provider_code=st.from_regex(r"9[0-9]{7}", fullmatch=True),
    amount=amounts,
    attempt=st.integers(1, 99),
    iban=st.sampled_from([IBAN, "DE89370400440532013000", "FR1420041010050500013M02606"]),
    name=st.text(min_size=1, max_size=120),
    asked_at=moments,
)


def an_order(**traits) -> Transfer:
    given = {"attempt": 1, "amount": Decimal("50.78"), "iban": IBAN, "name": "Dr Muller", "provider_code": "90000000"}
    ids = {name: uuid4() for name in ("payment_id", "person_id", "note_id")}
    return Transfer(**(ids | given | {"asked_at": datetime(2026, 11, 29, 12, tzinfo=UTC)} | traits))


@given(transfers)
def test_orders_are_valid_and_read_back_equal_by_another_library(transfer):
    data = instant_order(transfer, DEBTOR)
    assert SCHEMA.validate(etree.fromstring(data)), SCHEMA.error_log
    order = XmlParser().from_bytes(data, Document).cstmr_cdt_trf_initn
    [information] = order.pmt_inf
    [one] = information.cdt_trf_tx_inf
    assert UUID(hex=one.pmt_id.end_to_end_id) == transfer.payment_id
    assert order.grp_hdr.msg_id == information.pmt_inf_id == transfer.message_id
    assert (one.amt.instd_amt.value, one.amt.instd_amt.ccy) == (transfer.amount, "EUR")
    assert order.grp_hdr.ctrl_sum == information.ctrl_sum == transfer.amount
    assert one.cdtr_acct.id.iban == transfer.iban
    assert information.dbtr_acct.id.iban == DEBTOR.iban
    assert information.pmt_tp_inf.svc_lvl[0].cd == "SEPA"
    assert information.pmt_tp_inf.lcl_instrm.cd == "INST"


@given(transfers)
def test_order_of_an_attempt_is_the_same_whenever_it_is_written(transfer):
    assert instant_order(transfer, DEBTOR) == instant_order(transfer, DEBTOR)


@given(amounts, st.integers(1, 5))
def test_answers_of_the_bank_are_read_as_it_meant_them(amount, attempt):
    bank, order = MockBank(), an_order(amount=amount, attempt=attempt)
    bank.take(instant_order(order, DEBTOR))
    assert read_status(bank.status(order.message_id), order.message_id).outcome is Outcome.PAID
    data, place = bank.statement(0)
    [line] = [bank_line(one) for one in read_lines(data)]
    assert (line.payment_id, line.amount, line.fault, place) == (order.payment_id, amount, "", 1)


def test_refusal_has_its_reason():
    bank, order = MockBank(Behaviour(reject="AC04")), an_order()
    bank.take(instant_order(order, DEBTOR))
    report = read_status(bank.status(order.message_id), order.message_id)
    assert (report.outcome, report.cause) == (Outcome.REJECTED, "AC04")
    assert bank.statement(0) is None


def test_duplicate_order_is_no_refusal_since_the_first_may_have_been_paid():
    status = MockBank()
    order = an_order()
    status.take(instant_order(order, DEBTOR))
    text = status.status(order.message_id).decode()
    refused = text.replace("<TxSts>ACSC", "<TxSts>RJCT").replace("</TxInfAndSts>", f"{reason('AM05')}</TxInfAndSts>")
    assert read_status(refused.encode(), order.message_id).outcome is Outcome.OPEN
    refused = refused.replace("AM05", "AC04")
    assert read_status(refused.encode(), order.message_id).outcome is Outcome.REJECTED


def reason(code: str) -> str:
    return f"<StsRsnInf><Rsn><Cd>{code}</Cd></Rsn></StsRsnInf>"


@pytest.mark.parametrize("status", ["ACSP", "ACTC", "PDNG", "RCVD", "", "SOMETHING"])
def test_any_other_status_leaves_the_fate_open(status):
    bank, order = MockBank(), an_order()
    bank.take(instant_order(order, DEBTOR))
    text = bank.status(order.message_id).decode().replace("ACSC", status)
    assert read_status(text.encode(), order.message_id).outcome is Outcome.OPEN


def test_status_of_another_order_is_refused():
    bank, order = MockBank(), an_order()
    bank.take(instant_order(order, DEBTOR))
    with pytest.raises(BadMessage):
        read_status(bank.status(order.message_id), uuid4().hex)


def test_money_that_came_back_waits_for_an_operator():
    booked = datetime(2026, 11, 29, tzinfo=UTC)
    line = BookedLine(
        reference="R", end_to_end_id=uuid4().hex, amount=Decimal(1), booked_at=booked, returned=True, cause="AC04"
    )
    assert bank_line(line).fault == LineFault.RETURNED.value
    assert bank_line(replace(line, returned=False)).fault == ""
