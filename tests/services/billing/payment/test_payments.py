"""Payments and the bank: refusals, silence, the statement, the accounts of professionals, the ledger's invariant."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import httpx
import pytest

from esante.core import clock
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.mocks.bank import Behaviour
from esante.services.billing.payment.bank import Bank
from esante.services.billing.payment.model import LineFault, NameMatch, PayeeState, PaymentState
from tests.support.immediate_payment import DEBTOR, IBAN, OTHER_IBAN, fee_note


@contextmanager
def later(**span):
    with clock.use_clock(lambda: datetime.now(UTC) + timedelta(**span)):
        yield


@pytest.fixture(autouse=True)
def honest_bank(world):
    """The bank and the network behave again after each test."""
    yield
    world.bank.behaviour, world.network.mode = Behaviour(), "ok"


async def a_payment(world, **traits):
    """A validated note: its person, doctor, code and payment."""
    person, (doctor, code) = await world.patient(), await world.doctor(**traits)
    note = fee_note(person, code)
    return person, doctor, code, await world.validated(doctor, note)


async def state_of(world, payment) -> PaymentState:
    return (await world.payments.by_id(payment.id)).state


async def refused(status: int, work) -> None:
    with pytest.raises(Problem) as caught:
        await work
    assert caught.value.status == status


# The bank


@pytest.mark.usefixtures("balanced")
async def test_refused_payment_is_owed_again_and_paid_once_the_account_is_corrected(world):
    _, doctor, code, payment = await a_payment(world)
    world.bank.behaviour = Behaviour(reject="AC04", reject_ibans=frozenset({IBAN}))
    await world.settle_all()
    found = await world.payments.by_id(payment.id)
    assert (found.state, found.cause) == (PaymentState.REJECTED, "AC04")
    payee = await world.payees.propose(requester_of(doctor), code, OTHER_IBAN, "Marc Muller")
    await world.settle_all()
    assert await state_of(world, payment) is PaymentState.REJECTED  # not before an operator has confirmed it
    await world.payees.confirm(world.operator, payee.id)
    await world.settle_all()
    assert await state_of(world, payment) is PaymentState.PAID
    assert world.bank.paid[payment.id.hex] == [payment.amount]


@pytest.mark.usefixtures("balanced")
@pytest.mark.parametrize("mode", ["lost", "unanswered"])
async def test_payment_without_an_answer_is_being_asked_and_never_called_refused(world, mode):
    *_, payment = await a_payment(world)
    world.network.mode = mode
    await world.transfers.settle([(one, await world.transfers.ask(one, known=False)) for one in await claimed(world)])
    assert await state_of(world, payment) is PaymentState.ASKED
    world.network.mode = "ok"
    with later(minutes=10):
        await world.settle_all()
    assert await state_of(world, payment) is PaymentState.PAID
    assert world.bank.paid[payment.id.hex] == [payment.amount]


async def claimed(world):
    return await world.transfers.claim(50)


@pytest.mark.usefixtures("balanced")
async def test_line_of_the_statement_settles_a_payment_before_the_answer_does(world):
    *_, payment = await a_payment(world)
    orders = await claimed(world)
    reports = [(one, await world.transfers.ask(one, known=False)) for one in orders]
    await world.transfers.read_statement()
    assert await state_of(world, payment) is PaymentState.PAID
    await world.transfers.settle(reports)
    await world.transfers.settle(reports)
    assert (await world.payments.by_id(payment.id)).bank_line


@pytest.mark.usefixtures("balanced")
async def test_validated_payment_waits_for_a_confirmed_account(world):
    _, doctor, code, payment = await a_payment(world)
    async with world.db.transaction() as conn:
        await conn.execute("UPDATE billing_payee SET state = 'withdrawn' WHERE provider_code = $1", code)
    await world.settle_all()
    assert await state_of(world, payment) is PaymentState.CREATED
    payee = await world.payees.propose(requester_of(doctor), code, IBAN, "Marc Muller")
    await world.payees.confirm(world.operator, payee.id)
    await world.settle_all()
    assert await state_of(world, payment) is PaymentState.PAID


async def test_bank_that_answers_nonsense_leaves_the_fate_open(world):
    *_, payment = await a_payment(world)
    [order] = [one for one in await claimed(world) if one.payment_id == payment.id]

    def nonsense(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, text="<html>")

    bank = Bank("http://bank.test", DEBTOR, 1.0, httpx.MockTransport(nonsense))
    assert (await bank.order(order)).outcome.value == "open"
    assert (await bank.status(order)).outcome.value == "open"
    with later(minutes=10):
        await world.settle_all()


# The statement


@pytest.mark.usefixtures("balanced")
async def test_lines_that_match_no_payment_wait_for_an_operator(world):
    *_, payment = await a_payment(world)
    *_, other = await a_payment(world)
    await world.settle_all()
    before = len((await world.payments.unmatched(world.operator)).items)
    for end_to_end, amount in (
        (uuid4().hex, Decimal("1.00")),
        ("RENT NOVEMBER", Decimal("900.00")),
        (payment.id.hex, payment.amount),
    ):
        add_line(world.bank, end_to_end, amount)
    await world.transfers.read_statement()
    found = (await world.payments.unmatched(world.operator)).items[before:]
    unmatched = (await world.payments.unmatched(world.operator)).items
    assert {one.fault for one in unmatched} >= {LineFault.UNKNOWN.value, LineFault.TWICE.value}
    assert found
    with pytest.raises(Problem):
        await world.payments.unmatched(requester_of((await world.doctor())[0]))
    for one in unmatched:
        await world.payments.resolve(world.operator, one.reference, "settled with the bank by phone")
    assert (await world.payments.unmatched(world.operator)).items == []
    await refused(404, world.payments.resolve(world.operator, unmatched[0].reference, "again"))
    assert await state_of(world, other) is PaymentState.PAID


@pytest.mark.usefixtures("balanced")
async def test_line_of_another_amount_settles_nothing(world):
    *_, payment = await a_payment(world)
    await claimed(world)
    add_line(world.bank, payment.id.hex, payment.amount + 1)
    await world.transfers.read_statement()
    assert await state_of(world, payment) is PaymentState.ASKED
    [line] = [one for one in (await world.payments.unmatched(world.operator)).items if one.payment_id == payment.id]
    found = await world.payments.unmatched(world.operator, text=line.end_to_end_id[:20].upper())
    assert [one.reference for one in found.items] == [line.reference]
    assert (await world.payments.unmatched(world.operator, text="xyzzy")).items == []
    assert line.fault == LineFault.AMOUNT.value
    with later(minutes=10):
        await world.transfers.advance()
    await world.payments.resolve(world.operator, line.reference, "the bank corrected its line")


@pytest.mark.usefixtures("balanced")
async def test_money_that_moved_after_a_refusal_is_booked_as_paid(world):
    *_, payment = await a_payment(world)
    world.bank.behaviour = Behaviour(reject="AM04")
    await world.settle_all()
    assert await state_of(world, payment) is PaymentState.REJECTED
    add_line(world.bank, payment.id.hex, payment.amount)
    await world.transfers.read_statement()
    assert await state_of(world, payment) is PaymentState.PAID
    await refused(409, world.payments.retry(world.operator, payment.id))


def add_line(bank, end_to_end: str, amount: Decimal) -> None:
    """Report a line that no order of ours led to."""
    bank.books.add_line(uuid4().hex[:16], end_to_end, amount, datetime.now(UTC))


# Accounts


async def test_account_is_named_by_its_professional_and_confirmed_by_an_operator(world):
    site = await world.practice()
    (doctor, code), (other, _) = await world.doctor(iban="", at=site), await world.doctor()
    own = requester_of(doctor)
    for stranger in (requester_of(other), requester_of(site), replace(own, scopes=frozenset({"user/*.cruds"}))):
        await refused(404, world.payees.propose(stranger, code, IBAN, "Marc Muller"))
        await refused(404, world.payees.of_provider(stranger, code))
    payee = await world.payees.propose(own, code, "LU12 0010 0012 3456 7891", "Marc Muller")
    assert (payee.state, payee.match, payee.iban) == (PayeeState.PROPOSED, NameMatch.MATCH, IBAN)
    await refused(403, world.payees.confirm(own, payee.id))
    await refused(404, world.payees.withdraw(requester_of(other), payee.id))
    assert (await world.payees.withdraw(own, payee.id)).state is PayeeState.WITHDRAWN
    await refused(409, world.payees.confirm(world.operator, payee.id))
    again = await world.payees.propose(own, code, IBAN, "Marc Muller")
    assert (await world.payees.refuse(world.operator, again.id)).state is PayeeState.REFUSED
    assert [one.id for one in await world.payees.of_provider(own, code)] == [again.id, payee.id]
    assert again.masked_iban == "LU … 7891"


async def test_name_of_another_holder_is_shown_to_the_operator(world):
    doctor, code = await world.doctor(iban="")
    world.bank.behaviour = Behaviour(other_holder=frozenset({"Somebody Else"}))
    payee = await world.payees.propose(requester_of(doctor), code, IBAN, "Somebody Else")
    assert payee.match is NameMatch.NO_MATCH
    page = await world.payees.search(world.operator, PayeeState.PROPOSED)
    assert payee.id in {one.id for one in page.items}
    await refused(403, world.payees.search(requester_of(doctor)))


@pytest.mark.parametrize(
    "iban", ["", "LU12", "LU120010001234567892", "x" * 1000, "TR330006100519786457841326", "'; --"]
)
async def test_what_is_no_account_number_is_refused(world, iban):
    doctor, code = await world.doctor(iban="")
    await refused(400, world.payees.propose(requester_of(doctor), code, iban, "Marc Muller"))


async def test_account_cannot_be_named_while_the_bank_is_silent(world):
    doctor, code = await world.doctor(iban="")
    world.network.mode = "lost"
    await refused(503, world.payees.propose(requester_of(doctor), code, IBAN, "Marc Muller"))


async def test_number_of_an_account_is_in_no_journal_entry(world):
    await world.doctor()
    rows = await world.db.fetch("SELECT content FROM journal_entry WHERE type LIKE 'billing.payee%'")
    assert rows
    assert not any(IBAN.encode() in bytes(row[0]) for row in rows)


# The invariant


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE billing_posting SET amount = amount + 1 WHERE account = 'benefits' AND payment_id = $1",
        "DELETE FROM billing_posting WHERE kind = 'paid' AND payment_id = $1",
        "UPDATE billing_transfer SET state = 'created' WHERE payment_id = $1",
        "UPDATE billing_payment SET amount = amount + 1 WHERE payment_id = $1",
        "UPDATE billing_transfer SET bank_line = '' WHERE payment_id = $1",
        "DELETE FROM billing_transfer WHERE payment_id = $1",
        "INSERT INTO billing_recoverable SELECT provider_code, 5 FROM billing_transfer WHERE payment_id = $1",
    ],
)
async def test_check_finds_what_was_tampered_with(world, tampering):
    *_, payment = await a_payment(world)
    await world.settle_all()
    assert (await world.payments.check()).ok

    class Undo(Exception):
        pass

    with pytest.raises(Undo):
        async with world.db.transaction() as conn:
            await conn.execute(tampering, payment.id)
            assert await faults_in(conn), tampering
            raise Undo


async def faults_in(conn) -> list:
    """What the invariant finds wrong within a transaction."""
    from esante.services.billing.payment import check_store

    return [row for sql in check_store._CHECKS.values() for row in await conn.fetch(sql)]


async def test_flow_says_what_is_in_flight(world):
    *_, payment = await a_payment(world)
    flow = await world.payments.flow(world.operator)
    assert flow.states[PaymentState.CREATED][1] >= payment.amount
    await refused(403, world.payments.flow(requester_of((await world.doctor())[0])))
    await world.settle_all()
    found = await world.payments.search(world.operator, PaymentState.PAID)
    assert payment.id in {one.id for one in found.items}
