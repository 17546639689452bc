"""The messages to and from the bank: valid under the schema, read by a second library, hostile ones refused."""

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

from esante.services.billing.mocks.bank import Behaviour, MockBank
from esante.services.billing.payment.bank_messages import BadMessage, Outcome, read_lines, read_status
from esante.services.billing.payment.model import LineFault, Transfer
from esante.services.billing.payment.pain001 import MAX_NAME, credit_transfer, sepa_text
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
    data = credit_transfer(transfer, DEBTOR)
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
    assert credit_transfer(transfer, DEBTOR) == credit_transfer(transfer, DEBTOR)


@given(st.text(max_size=200))
def test_names_have_only_characters_that_every_bank_takes(text):
    found = sepa_text(text, MAX_NAME)
    assert 1 <= len(found) <= MAX_NAME
    assert found.isascii()
    assert sepa_text(found, MAX_NAME) == found


def test_accents_are_spelled_out():
    assert sepa_text("Dr Zoë Müller-Straßen & Çelik", MAX_NAME) == "Dr Zoe Muller-Strassen + Celik"


@given(amounts, st.integers(1, 5))
def test_answers_of_the_bank_are_read_as_it_meant_them(amount, attempt):
    bank, order = MockBank(), an_order(amount=amount, attempt=attempt)
    bank.take(credit_transfer(order, DEBTOR))
    assert read_status(bank.status(order.message_id), order.message_id).outcome is Outcome.PAID
    data, place = bank.statement(0)
    [line] = read_lines(data)
    assert (line.payment_id, line.amount, line.fault, place) == (order.payment_id, amount, "", 1)


def test_refusal_has_its_reason():
    bank, order = MockBank(Behaviour(reject="AC04")), an_order()
    bank.take(credit_transfer(order, DEBTOR))
    report = read_status(bank.status(order.message_id), order.message_id)
    assert (report.outcome, report.cause) == (Outcome.REJECTED, "AC04")
    assert bank.statement(0) is None


def test_duplicate_order_is_no_refusal_since_the_first_may_have_been_paid():
    status = MockBank()
    order = an_order()
    status.take(credit_transfer(order, DEBTOR))
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
    bank.take(credit_transfer(order, DEBTOR))
    text = bank.status(order.message_id).decode().replace("ACSC", status)
    assert read_status(text.encode(), order.message_id).outcome is Outcome.OPEN


def test_status_of_another_order_is_refused():
    bank, order = MockBank(), an_order()
    bank.take(credit_transfer(order, DEBTOR))
    with pytest.raises(BadMessage):
        read_status(bank.status(order.message_id), uuid4().hex)


BOMB = b'<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<",
        b"\xff\xfe\x00",
        b"{}",
        b"<Document/>",
        BOMB + b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"/>',
        OUTSIDE + b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08">&b;</Document>',
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>',
        b"<a>" * 100_000,
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08">' + b" " * 5_000_000 + b"</Document>",
    ],
    ids=["empty", "cut", "bytes", "json", "no namespace", "bomb", "outside", "other kind", "deep", "large"],
)
def test_hostile_messages_are_refused_without_a_trace_of_their_content(data):
    for read in (read_lines, lambda found: read_status(found, "x")):
        with pytest.raises(BadMessage) as caught:
            read(data)
        assert "passwd" not in str(caught.value)


def entry(amount: str = "50.78", currency: str = "EUR", reference: str = "REF1", sign: str = "DBIT", **more) -> bytes:
    day = more.get("day", "2026-11-29T12:00:00Z")
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><Ntfctn>'
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts><Cd>{more.get("status", "BOOK")}'
        f"</Cd></Sts><BookgDt><DtTm>{day}</DtTm></BookgDt><AcctSvcrRef>{reference}</AcctSvcrRef></Ntry>"
        "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"
    ).encode()


@pytest.mark.parametrize(
    "data",
    [
        entry("-1.00"),
        entry("0"),
        entry("NaN"),
        entry("1.001"),
        entry("1E400"),
        entry("much"),
        entry(currency="USD"),
        entry(reference=""),
        entry(reference="x" * 36),
        entry(day="yesterday"),
    ],
)
def test_lines_that_make_no_sense_are_refused(data):
    with pytest.raises(BadMessage):
        read_lines(data)


def test_pending_lines_are_left_out_and_credits_are_for_an_operator():
    assert read_lines(entry(status="PDNG")) == []
    [line] = read_lines(entry(sign="CRDT"))
    assert line.fault == LineFault.RETURNED.value


@given(st.binary(max_size=300))
def test_bytes_never_raise_anything_else(data):
    for read in (read_lines, lambda found: read_status(found, "x")):
        with pytest.raises(BadMessage):
            read(data)
