"""Payments: one file for each order, answers of the bank applied once, nothing paid twice."""

import asyncio
from datetime import date
from decimal import Decimal

import pytest
from lxml import etree

from esante.core.web import Problem
from esante.services.incentives.decisions.model import PayeeKind
from esante.services.incentives.payments.model import OrderState
from tests.support.incentives import DEBTOR_IBAN, EXEMPLA, IBANS, days_of

CODES = ("90100100", "90100200", "90100300")
NAMESPACE = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"}


@pytest.fixture
async def decided(world):
    """A world with three doctors who are owed for a quarter; two have an account."""
    await world.label(EXEMPLA, date(2025, 12, 1))
    for number, code in enumerate(CODES):
        await world.notes(code, days_of(date(2026, 1, 5), 10 * (number + 1)))
    await world.decide("2026-Q1")
    for code, iban in zip(CODES[:2], IBANS, strict=False):
        await world.account(code, PayeeKind.PROVIDER, iban)
    return world


async def orders_of(world):
    return {one.payee: one for one in (await world.payments.orders(world.anna, "2026-Q1", "", None)).items}


def status(message_id, order, code, reason=""):
    """A pain.002 about one order."""
    cause = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>'
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId></OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>{order.end_to_end_id}</OrgnlEndToEndId>"
        f"<TxSts>{code}</TxSts>{cause}</TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
    ).encode()


def booked(reference, end_to_end_id, amount, *, back=False):
    """A camt.054 with one line."""
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><Ntfctn><Ntry>'
        f'<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{"CRDT" if back else "DBIT"}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        "<BookgDt><Dt>2026-04-10</Dt></BookgDt>"
        f"<NtryDtls><TxDtls><Refs><AcctSvcrRef>{reference}</AcctSvcrRef><EndToEndId>{end_to_end_id}</EndToEndId></Refs>"
        f'<Amt Ccy="EUR">{amount}</Amt></TxDtls></NtryDtls></Ntry></Ntfctn></BkToCstmrDbtCdtNtfctn></Document>'
    ).encode()


async def test_file_holds_each_order_of_a_payee_with_an_account_once(decided):
    file = await decided.payments.make_file(decided.anna)
    root = etree.fromstring(file.content)
    assert root.findtext(".//p:DbtrAcct//p:IBAN", namespaces=NAMESPACE) == DEBTOR_IBAN
    found = {
        one.findtext(".//p:EndToEndId", namespaces=NAMESPACE): (
            one.findtext(".//p:InstdAmt", namespaces=NAMESPACE),
            one.findtext(".//p:CdtrAcct//p:IBAN", namespaces=NAMESPACE),
        )
        for one in root.iterfind(".//p:CdtTrfTxInf", NAMESPACE)
    }
    orders = await orders_of(decided)
    assert found == {
        orders[CODES[0]].end_to_end_id: ("3.35", IBANS[0]),
        orders[CODES[1]].end_to_end_id: ("6.70", IBANS[1]),
    }
    assert root.findtext(".//p:GrpHdr/p:CtrlSum", namespaces=NAMESPACE) == "10.05" and file.amount == Decimal("10.05")
    assert [orders[code].state.value for code in CODES] == ["sent", "sent", "ready"]
    assert (await decided.payments.file(decided.anna, file.file_id)).content == file.content
    with pytest.raises(Problem) as caught:
        await decided.payments.make_file(decided.anna)
    assert caught.value.status == 409


async def test_files_made_at_once_and_broken_off_hold_each_order_once(decided):
    """Some of the makers are cancelled at a moment of their work, as by a crash."""

    async def make(delay):
        try:
            async with asyncio.timeout(delay):
                await decided.payments.make_file(decided.anna)
        except (TimeoutError, Problem):
            return

    await asyncio.gather(*(make(delay / 500) for delay in range(1, 12)), make(20))
    files = (await decided.payments.files(decided.anna, None)).items
    orders = await orders_of(decided)
    assert sum(one.orders for one in files) == 2 and sum(one.amount for one in files) == Decimal("10.05")
    assert {orders[code].attempt for code in CODES[:2]} == {1}


async def test_answers_of_the_bank_are_applied_once(decided):
    file = await decided.payments.make_file(decided.anna)
    orders = await orders_of(decided)
    first, second = (orders[code] for code in CODES[:2])
    paid = status(file.message_id, first, "ACSC")
    assert (await decided.payments.apply(decided.anna, paid)).paid == 1
    assert (await decided.payments.apply(decided.anna, paid)).paid == 0
    line = booked("B1", second.end_to_end_id, "6.70")
    assert (await decided.payments.apply(decided.anna, line)).paid == 1
    assert (await decided.payments.apply(decided.anna, line)).paid == 0
    assert {one.state for one in (await orders_of(decided)).values() if one.payee in CODES[:2]} == {OrderState.PAID}


async def test_rejected_order_is_paid_again_only_to_an_account_that_was_confirmed_since(decided):
    file = await decided.payments.make_file(decided.anna)
    order = (await orders_of(decided))[CODES[0]]
    rejected = status(file.message_id, order, "RJCT", "AC04")
    assert (await decided.payments.apply(decided.anna, rejected)).rejected == 1
    with pytest.raises(Problem):
        await decided.payments.make_file(decided.anna)
    await decided.account(CODES[0], PayeeKind.PROVIDER, IBANS[2])
    again = await decided.payments.make_file(decided.anna)
    assert again.orders == 1 and IBANS[2].encode() in again.content
    replayed = await decided.payments.apply(decided.anna, rejected)  # of the first file
    assert replayed.rejected == 0 and replayed.unmatched == (order.end_to_end_id,)
    assert (await orders_of(decided))[CODES[0]].state is OrderState.SENT


async def test_returned_money_is_paid_again_once_and_its_line_counts_once(decided):
    await decided.payments.make_file(decided.anna)
    order = (await orders_of(decided))[CODES[0]]
    await decided.payments.apply(decided.anna, booked("B1", order.end_to_end_id, "3.35"))
    returned = booked("B2", order.end_to_end_id, "3.35", back=True)
    assert (await decided.payments.apply(decided.anna, returned)).rejected == 1
    await decided.account(CODES[0], PayeeKind.PROVIDER, IBANS[2])
    await decided.payments.make_file(decided.anna)
    assert (await decided.payments.apply(decided.anna, returned)).rejected == 0
    assert (await orders_of(decided))[CODES[0]].state is OrderState.SENT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>',
        booked("", "x", "3.35"),
        booked("B1", "x", "-3.35"),
        booked("B1", "x", "NaN"),
        b" " * (8 * 1024 * 1024 + 1),
    ],
)
async def test_file_that_is_no_answer_of_the_bank_is_refused(decided, data):
    with pytest.raises(Problem) as caught:
        await decided.payments.apply(decided.anna, data)
    assert caught.value.status == 400


@pytest.mark.parametrize(("amount", "end_to_end_id"), [("3.36", None), ("3.35", "unknown"), ("3.35", "0" * 32)])
async def test_line_that_fits_no_order_is_named_and_changes_nothing(decided, amount, end_to_end_id):
    await decided.payments.make_file(decided.anna)
    order = (await orders_of(decided))[CODES[0]]
    wanted = end_to_end_id or order.end_to_end_id
    found = await decided.payments.apply(decided.anna, booked("B1", wanted, amount))
    assert found.unmatched == (wanted,) and (await orders_of(decided))[CODES[0]].state is OrderState.SENT


async def test_wrong_account_is_refused(world):
    with pytest.raises(Problem) as caught:
        await world.payments.enter_account(
            world.anna, PayeeKind.PROVIDER, CODES[0], "Eva Doctor", "LU280019400644750001"
        )
    assert caught.value.status == 400 and caught.value.place == "iban"


async def test_file_that_the_bank_rejected_as_a_whole_rejects_its_orders_and_no_other(decided):
    file = await decided.payments.make_file(decided.anna)
    text = status(file.message_id, (await orders_of(decided))[CODES[0]], "RJCT").decode()
    begin, end = text.index("<OrgnlPmtInfAndSts>"), text.index("</CstmrPmtStsRpt>")
    whole = (text[:begin] + text[end:]).replace("</OrgnlMsgId>", "</OrgnlMsgId><GrpSts>RJCT</GrpSts>").encode()
    other = whole.replace(file.message_id.encode(), b"another")
    assert (await decided.payments.apply(decided.anna, other)).rejected == 0
    assert (await decided.payments.apply(decided.anna, whole)).rejected == 2
    assert [(await orders_of(decided))[code].state.value for code in CODES] == ["rejected", "rejected", "ready"]


async def test_order_that_the_bank_has_already_is_not_taken_as_rejected(decided):
    file = await decided.payments.make_file(decided.anna)
    order = (await orders_of(decided))[CODES[0]]
    found = await decided.payments.apply(decided.anna, status(file.message_id, order, "RJCT", "AM05"))
    assert (found.rejected, found.unmatched) == (0, ())
    assert (await orders_of(decided))[CODES[0]].state is OrderState.SENT


async def test_account_is_paid_to_only_once_it_is_confirmed_and_the_newest_takes_its_place(decided):
    made = await decided.payments.enter_account(decided.anna, PayeeKind.PROVIDER, CODES[0], "Eva Doctor", IBANS[2])
    file = await decided.payments.make_file(decided.anna)
    assert IBANS[0].encode() in file.content and IBANS[2].encode() not in file.content
    await decided.payments.decide_account(decided.ben, made.account_id, confirm=False)
    with pytest.raises(Problem) as caught:
        await decided.payments.decide_account(decided.ben, made.account_id, confirm=True)
    assert caught.value.status == 409
    assert [one.state for one in await decided.payments.accounts([CODES[0]])] == ["refused", "confirmed"]


async def test_nobody_confirms_an_account_that_they_entered(world):
    made = await world.payments.enter_account(world.anna, PayeeKind.PROVIDER, CODES[0], "Eva Doctor", IBANS[0])
    with pytest.raises(Problem) as caught:
        await world.payments.decide_account(world.anna, made.account_id, confirm=True)
    assert caught.value.status == 409


async def test_order_that_the_bank_rejected_and_then_says_is_paid_is_named(decided):
    file = await decided.payments.make_file(decided.anna)
    order = (await orders_of(decided))[CODES[0]]
    await decided.payments.apply(decided.anna, status(file.message_id, order, "RJCT", "AC04"))
    found = await decided.payments.apply(decided.anna, booked("B1", order.end_to_end_id, "3.35"))
    assert found.unmatched == (order.end_to_end_id,)
    assert (await orders_of(decided))[CODES[0]].state is OrderState.REJECTED


async def test_others_than_operators_pay_nothing(world):
    for act in (world.payments.make_file, world.payments.payable, world.payments.proposed_accounts):
        with pytest.raises(Problem) as caught:
            await act(EXEMPLA.requester)
        assert caught.value.status == 403
