"""Files of orders: valid under the schema, read by a second library; messages of the bank, hostile ones refused."""

from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from pyiso20022.pain.pain_001_001_09 import Document
from xsdata.formats.dataclass.parsers import XmlParser

from esante.core.sepa import (
    MAX_NAME,
    AccountHolder,
    BadMessage,
    CreditTransfer,
    Outcome,
    StatusReport,
    order_key,
    parse_iban,
    read_lines,
    read_message,
    read_status,
    sepa_text,
    write_credit_transfers,
)
from esante.core.web import Problem

SCHEMA = etree.XMLSchema(etree.parse(str(files("sepaxml") / "schemas" / "pain.001.001.09.xsd")))
IBANS = ("LU280019400644750000", "DE89370400440532013000", "FR1420041010050500013M02606")
DEBTOR = AccountHolder(name="Agence Exemple", iban=IBANS[0])
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
transfers = st.builds(
    CreditTransfer,
    end_to_end_id=st.uuids().map(lambda one: one.hex),
    creditor=st.builds(AccountHolder, name=st.text(max_size=120), iban=st.sampled_from(IBANS)),
    amount=st.decimals(Decimal("0.01"), Decimal("999999.99"), places=2),
    purpose=st.text(max_size=200),
)


@given(st.lists(transfers, min_size=1, max_size=5), st.booleans())
def test_files_are_valid_and_read_back_equal_by_another_library(orders, instant):
    data = write_credit_transfers(DEBTOR, orders, message_id="M1", at=NOON, instant=instant)
    assert SCHEMA.validate(etree.fromstring(data)), SCHEMA.error_log
    file = XmlParser().from_bytes(data, Document).cstmr_cdt_trf_initn
    [information] = file.pmt_inf
    assert file.grp_hdr.ctrl_sum == information.ctrl_sum == sum(one.amount for one in orders)
    assert int(file.grp_hdr.nb_of_txs) == int(information.nb_of_txs) == len(orders)
    assert [
        (one.pmt_id.end_to_end_id, one.amt.instd_amt.value, one.amt.instd_amt.ccy, one.cdtr_acct.id.iban)
        for one in information.cdt_trf_tx_inf
    ] == [(one.end_to_end_id, one.amount, "EUR", one.creditor.iban) for one in orders]
    assert (information.pmt_tp_inf.lcl_instrm is not None) == instant
    assert str(information.reqd_exctn_dt.dt) == "2026-11-29"
    assert write_credit_transfers(DEBTOR, orders, message_id="M1", at=NOON, instant=instant) == data


@pytest.mark.parametrize("amounts", [(), ("0.00",), ("5.00", "-1.00")])
def test_file_without_orders_above_zero_is_not_written(amounts):
    orders = [
        CreditTransfer(end_to_end_id="a", creditor=DEBTOR, amount=Decimal(amount), purpose="x") for amount in amounts
    ]
    with pytest.raises(ValueError, match="above zero"):
        write_credit_transfers(DEBTOR, orders, message_id="M1", at=NOON)


@pytest.mark.parametrize(
    "iban",
    ["", "LU28001940064475000", "LU280019400644750001", "US12345678", "BR1500000000000010932840814P2", "x" * 500],
)
def test_account_number_that_cannot_be_paid_is_refused(iban):
    with pytest.raises(Problem) as caught:
        parse_iban(iban)
    assert (caught.value.status, caught.value.place) == (400, "iban")


def test_account_number_is_read_as_it_is_typed():
    assert parse_iban(" lu28 0019 4006 4475 0000 ") == "LU280019400644750000"


@given(st.uuids(), st.text(max_size=40))
def test_order_is_known_by_its_digits_only(key, text):
    assert order_key(key.hex) == key
    found = order_key(text)
    assert found is None or found.hex == text.lower()


def report(orders: str, group: str = "") -> bytes:
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>'
        f"<OrgnlMsgId>M1</OrgnlMsgId>{group}</OrgnlGrpInfAndSts><OrgnlPmtInfAndSts>{orders}</OrgnlPmtInfAndSts>"
        "</CstmrPmtStsRpt></Document>"
    ).encode()


def order_status(key: str, status: str, reason: str = "") -> str:
    cause = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
    return f"<TxInfAndSts><OrgnlEndToEndId>{key}</OrgnlEndToEndId><TxSts>{status}</TxSts>{cause}</TxInfAndSts>"


def test_each_order_of_a_file_has_its_own_status():
    orders = order_status("a", "ACSC") + order_status("b", "RJCT", "AC04") + order_status("c", "RJCT", "AM05")
    found = read_message(report(orders + order_status("d", "PDNG")))
    assert isinstance(found, StatusReport)
    assert [(one.end_to_end_id, one.outcome, one.cause) for one in found.orders] == [
        ("a", Outcome.PAID, ""),
        ("b", Outcome.REJECTED, "AC04"),
        ("c", Outcome.OPEN, ""),  # the bank has it already: no answer to whether it paid
        ("d", Outcome.OPEN, ""),
    ]


def test_file_that_is_rejected_as_a_whole_says_so():
    reason = "<StsRsnInf><Rsn><Cd>FF01</Cd></Rsn></StsRsnInf>"
    found = read_status(report("", f"<GrpSts>RJCT</GrpSts>{reason}"), "M1")
    assert (found.outcome, found.cause) == (Outcome.REJECTED, "FF01")


@given(st.text(max_size=200))
def test_names_have_only_characters_that_every_bank_takes(text):
    found = sepa_text(text, MAX_NAME)
    assert 1 <= len(found) <= MAX_NAME
    assert found.isascii()
    assert sepa_text(found, MAX_NAME) == found


def test_accents_are_spelled_out():
    assert sepa_text("Dr Zoë Müller-Straßen & Çelik", MAX_NAME) == "Dr Zoe Muller-Strassen + Celik"


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
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08">' + b" " * 9_000_000 + b"</Document>",
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


def test_pending_lines_are_left_out_and_credits_are_returned_money():
    assert read_lines(entry(status="PDNG")) == []
    [line] = read_lines(entry(sign="CRDT"))
    assert (line.returned, line.cause) == (True, "NARR")


@given(st.binary(max_size=300))
def test_bytes_never_raise_anything_else(data):
    for read in (read_lines, lambda found: read_status(found, "x")):
        with pytest.raises(BadMessage):
            read(data)
