"""Exactly-once payment as a state machine: any order of steps, with crashes and a lossy network between any two."""

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule, run_state_machine_as_test

from esante.core import clock
from esante.core.storage import Objects
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.mocks.bank import Behaviour
from esante.services.billing.payment.model import PaymentState
from tests.conftest import create_database, open_journal
from tests.support.billing import IBAN, OTHER_IBAN, YES, Crash, CrashingDatabase, fee_note, open_billing

ACTS = (("C1",), ("C1", "9T01"), ("9T01",), ("C2",))
CRASHES = st.sampled_from(["", "", "before", "after"])


class Laboratory:
    """An event loop in a thread of its own, with the services of billing over a database of its own."""

    def __init__(self, server: str, folder) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ready = self.do(self._open(server, folder))

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _open(self, server: str, folder):
        self._journal_context = open_journal(await create_database(server), folder)
        journal = await self._journal_context.__aenter__()
        now = datetime.now(UTC)
        await journal.ensure_months(now, now + timedelta(days=62))
        self.db = CrashingDatabase(journal.db)
        self._billing_context = open_billing(self.db, journal, Objects.open("", folder))
        self.world = await self._billing_context.__aenter__()

    async def _close(self):
        await self._billing_context.__aexit__(None, None, None)
        await self._journal_context.__aexit__(None, None, None)

    def close(self) -> None:
        self.do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture(scope="module")
def laboratory(server, tmp_path_factory):
    found = Laboratory(server, tmp_path_factory.mktemp("exactly-once"))
    yield found
    found.close()


def machine_of(laboratory: Laboratory):
    world, db, do = laboratory.world, laboratory.db, laboratory.do

    class Payments(RuleBasedStateMachine):
        simulations = Bundle("simulations")
        notes = Bundle("notes")
        orders = Bundle("orders")
        reports = Bundle("reports")

        def __init__(self) -> None:
            super().__init__()
            self.offset = timedelta(0)
            self.clock = clock.use_clock(lambda: datetime.now(UTC) + self.offset)
            self.clock.__enter__()
            world.bank.behaviour, world.network.mode, db.crash = Behaviour(), "ok", ""
            self.doctor, self.code = do(world.doctor())
            self.requester = requester_of(self.doctor)
            self.life = 0
            self.validated: dict = {}
            self.payment_ids: dict = {}

        def attempt(self, work):
            """Do something that may crash or be refused; None then."""
            try:
                return do(work)
            except (Crash, Problem):
                return None
            finally:
                db.crash = ""

        @rule(target=simulations, acts=st.sampled_from(ACTS))
        def simulate(self, acts):
            note = fee_note(do(world.patient()), self.code, *acts)
            return do(world.pid.simulate(self.requester, note))

        @rule(target=notes, simulation=simulations, crash=CRASHES)
        def validate(self, simulation, crash):
            db.crash = crash
            payment = self.attempt(world.pid.validate(self.requester, simulation.id, YES))
            if payment is not None:
                known = self.payment_ids.setdefault(simulation.note.id, payment.id)
                assert known == payment.id
            return simulation

        @rule(target=simulations, simulation=notes, acts=st.sampled_from(ACTS))
        def simulate_correction(self, simulation, acts):
            note = replace(fee_note(do(world.patient()), self.code, *acts), patient=simulation.note.patient)
            found = self.attempt(world.pid.simulate(self.requester, note, replaces_id=simulation.note.id))
            return found or multiple()

        @rule(simulation=notes, crash=CRASHES)
        def cancel(self, simulation, crash):
            db.crash = crash
            self.attempt(world.pid.cancel(self.requester, simulation.note.id, "slip"))

        @rule(target=orders, crash=CRASHES)
        def claim(self, crash):
            db.crash = crash
            claimed = self.attempt(world.transfers.claim(3)) or []
            return multiple(*((self.life, one, False) for one in claimed))

        @rule(target=orders, crash=CRASHES)
        def claim_unknown(self, crash):
            db.crash = crash
            claimed = self.attempt(world.transfers.claim_unknown(3)) or []
            return multiple(*((self.life, one, True) for one in claimed))

        @rule(target=reports, order=orders, mode=st.sampled_from(["ok", "ok", "lost", "unanswered"]))
        def ask(self, order, mode):
            life, transfer, known = order
            if life != self.life:
                return multiple()  # whoever was to ask is gone
            world.network.mode = mode
            report = do(world.transfers.ask(transfer, known=known))
            world.network.mode = "ok"
            return life, transfer, report

        @rule(report=reports, crash=CRASHES)
        def settle(self, report, crash):
            life, transfer, found = report
            if life == self.life:
                db.crash = crash
                self.attempt(world.transfers.settle([(transfer, found)]))

        @rule(crash=CRASHES)
        def read_statement(self, crash):
            db.crash = crash
            self.attempt(world.transfers.read_statement())

        @rule()
        def end_of_the_process(self):
            self.life += 1

        @rule(seconds=st.sampled_from([5, 60, 400]))
        def time_passes(self, seconds):
            self.offset += timedelta(seconds=seconds)

        @rule(reject=st.sampled_from(["", "", "AC04", "AM04"]), duplicate=st.booleans(), reorder=st.booleans())
        def bank_changes(self, reject, duplicate, reorder):
            world.bank.behaviour = Behaviour(reject=reject, duplicate=duplicate, reorder=reorder)

        @rule(iban=st.sampled_from([IBAN, OTHER_IBAN]))
        def account_changes(self, iban):
            payee = do(world.payees.propose(self.requester, self.code, iban, "Marc Muller"))
            do(world.payees.confirm(world.operator, payee.id))

        @invariant()
        def no_cent_is_lost_or_paid_twice(self):
            do(world.assert_balanced())
            paid = world.bank.paid
            assert all(len(amounts) == 1 for amounts in paid.values())
            for payment in do(all_payments(world, self.code)):
                at_bank = payment.id.hex in paid
                if payment.state is PaymentState.PAID and payment.amount:
                    assert paid[payment.id.hex] == [payment.amount]
                if at_bank:
                    assert payment.state in (PaymentState.ASKED, PaymentState.PAID)

        def teardown(self):
            world.bank.behaviour, world.network.mode = Behaviour(), "ok"
            try:
                for payment in do(all_payments(world, self.code)):
                    if payment.state is PaymentState.REJECTED:
                        do(world.payments.retry(world.operator, payment.id))
                for _ in range(20):
                    self.offset += timedelta(minutes=10)
                    do(world.settle_all())
                payments = do(all_payments(world, self.code))
                assert {one.state for one in payments} <= {PaymentState.PAID, PaymentState.WITHDRAWN}
                assert Counter(one.note_id for one in payments) == Counter({one.note_id: 1 for one in payments})
                assert {self.payment_ids[one.note_id] for one in payments if one.note_id in self.payment_ids} == set(
                    self.payment_ids.values()
                )
                report = do(world.assert_balanced())
                assert report.payable == report.in_flight == Decimal("0.00")
                assert report.paid == world.bank.total == report.validated - report.cancelled + report.recoverable
                assert do(world.payments.unmatched(world.operator)).items == []
            finally:
                self.clock.__exit__(None, None, None)

    return Payments


async def all_payments(world, code: str):
    found, cursor = [], None
    while True:
        page = await world.payments.of_provider(code, cursor=cursor, limit=100)
        found += page.items
        if page.next is None:
            return found
        cursor = page.next


FEW = settings(max_examples=12, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=400, stateful_step_count=60)


@pytest.mark.parametrize("amount", [FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=["few", "many"])
def test_every_validated_note_is_paid_exactly_once_whatever_happens(laboratory, amount):
    run_state_machine_as_test(machine_of(laboratory), settings=amount)
