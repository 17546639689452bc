"""Exactly-once payment as a state machine: any order of steps, with crashes and a lossy network between any two."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from esante.core import clock
from esante.core.storage import Objects
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.mocks.bank import Behaviour
from esante.services.billing.payment.model import PaymentState
from tests.conftest import create_database, open_journal
from tests.support.immediate_payment import OTHER_IBAN, YES, Crash, CrashingDatabase, fee_note, open_billing

ACTS = (("C1",), ("C1", "9T01"), ("9T01",), ("C2",))
CRASHES = st.sampled_from(["", "", "before", "after"])
MODES = st.sampled_from(["ok", "lost", "unanswered"])


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

    class Billing(RuleBasedStateMachine):
        """A doctor, the bank and time; `orders` and `reports` are in the memory of a process, until it ends."""

        def __init__(self) -> None:
            super().__init__()
            self.offset = timedelta(0)
            self.clock = clock.use_clock(lambda: datetime.now(UTC) + self.offset)
            self.clock.__enter__()
            world.bank.behaviour, world.network.mode, db.crash = Behaviour(), "ok", ""
            self.doctor, self.code = do(world.doctor())
            self.requester = requester_of(self.doctor)
            self.simulations, self.orders, self.reports, self.payment_ids = [], [], [], {}

        def attempt(self, work, crash):
            """Do something that may crash; None then, and when it is refused."""
            db.crash = crash
            try:
                return do(work)
            except Problem:
                return None
            except Crash:
                self.orders, self.reports = [], []
                return None
            finally:
                db.crash = ""

        # The doctor

        @initialize()
        def first_note(self):
            self.bill(("C1",), "")

        @rule(
            act=st.sampled_from(["validate_again", "bill", "correct", "cancel", "bill"]), data=st.data(), crash=CRASHES
        )
        def doctor_acts(self, act, data, crash):
            if act == "bill":
                self.bill(data.draw(st.sampled_from(ACTS)), crash)
                return
            simulation = data.draw(st.sampled_from(self.simulations))
            match act:
                case "validate_again":
                    self.validate(simulation, crash)
                case "correct":
                    self.correct(simulation, data.draw(st.sampled_from(ACTS)), crash)
                case "cancel":
                    self.attempt(world.pid.reversals.cancel(self.requester, simulation.note.id, "slip"), crash)

        def bill(self, acts, crash):
            note = fee_note(do(world.patient()), self.code, *acts)
            self.simulations.append(do(world.pid.simulate(self.requester, note)))
            self.validate(self.simulations[-1], crash)

        def validate(self, simulation, crash):
            payment = self.attempt(world.pid.validate(self.requester, simulation.id, YES), crash)
            if payment is not None:
                assert self.payment_ids.setdefault(simulation.note.id, payment.id) == payment.id

        def correct(self, old, acts, crash):
            note = replace(fee_note(do(world.patient()), self.code, *acts), patient=old.note.patient)
            found = self.attempt(world.pid.simulate(self.requester, note, replaces_id=old.note.id), "")
            if found is not None:
                self.simulations.append(found)
                self.validate(found, crash)

        # The work at the bank

        @rule(
            act=st.sampled_from(["all", "claim", "claim_unknown", "ask", "settle", "read", "all"]),
            mode=MODES,
            crash=CRASHES,
        )
        def platform_works(self, act, mode, crash):
            match act:
                case "claim" | "claim_unknown":
                    self.claim(crash, unknown=act == "claim_unknown")
                case "ask" if self.orders:
                    self.ask(mode)
                case "settle" if self.reports:
                    self.settle(crash)
                case "read":
                    self.attempt(world.transfers.read_statement(), crash)
                case "all":
                    self.claim("", unknown=False)
                    self.claim("", unknown=True)
                    while self.orders:
                        self.ask(mode)
                    while self.reports:
                        self.settle(crash)

        def claim(self, crash, *, unknown):
            work = world.transfers.claim_unknown(5) if unknown else world.transfers.claim(5)
            self.orders += [(one, unknown) for one in self.attempt(work, crash) or ()]

        def ask(self, mode):
            transfer, unknown = self.orders.pop()
            world.network.mode = mode
            self.reports.append((transfer, do(world.transfers.ask(transfer, known=unknown))))
            world.network.mode = "ok"

        def settle(self, crash):
            report = self.reports.pop()
            self.attempt(world.transfers.settle([report]), crash)
            self.attempt(world.transfers.settle([report]), "")

        # What happens

        @rule(
            event=st.sampled_from(["end", "time", "time", "bank", "account"]),
            seconds=st.sampled_from([5, 60, 400]),
            reject=st.sampled_from(["", "", "AC04"]),
            twice=st.booleans(),
        )
        def something_happens(self, event, seconds, reject, twice):
            match event:
                case "end":  # of the process
                    self.orders, self.reports = [], []
                case "time":
                    self.offset += timedelta(seconds=seconds)
                case "bank":
                    world.bank.behaviour = Behaviour(reject=reject, duplicate=twice, reorder=twice)
                case "account":
                    payee = do(world.payees.propose(self.requester, self.code, OTHER_IBAN, "Marc Muller"))
                    do(world.payees.confirm(world.operator, payee.id))

        @invariant()
        def no_cent_is_lost_or_paid_twice(self):
            do(world.assert_balanced())
            paid = world.bank.paid
            assert all(len(amounts) == 1 for amounts in paid.values())
            for payment in do(all_payments(world, self.code)):
                if payment.state is PaymentState.PAID and payment.amount:
                    assert paid[payment.id.hex] == [payment.amount]
                if payment.id.hex in paid:
                    assert payment.state in (PaymentState.ASKED, PaymentState.PAID)

        def teardown(self):
            world.bank.behaviour, world.network.mode = Behaviour(), "ok"
            try:
                self.settle_everything()
                payments = do(all_payments(world, self.code))
                assert {one.state for one in payments} <= {PaymentState.PAID, PaymentState.WITHDRAWN}
                found = {one.note_id: one.id for one in payments}
                assert len(found) == len(payments)
                assert self.payment_ids.items() <= found.items()
                report = do(world.assert_balanced())
                assert report.payable == report.in_flight == Decimal("0.00")
                assert report.paid == world.bank.total == report.validated - report.cancelled + report.recoverable
                assert do(world.payments.unmatched(world.operator)).items == []
            finally:
                self.clock.__exit__(None, None, None)

        def settle_everything(self):
            for _ in range(3):
                self.retry_rejected()  # a rejection whose answer was lost is known only after the bank was asked again
                self.offset += timedelta(minutes=10)
                do(world.settle_all())

        def retry_rejected(self):
            for payment in do(all_payments(world, self.code)):
                if payment.state is PaymentState.REJECTED:
                    do(world.payments.retry(world.operator, payment.id))

    return Billing


async def all_payments(world, code: str):
    found, cursor = [], None
    while True:
        page = await world.payments.of_provider(code, cursor=cursor, limit=100)
        found += page.items
        if page.next is None:
            return found
        cursor = page.next


FEW = settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=400, stateful_step_count=60)


@pytest.mark.parametrize("amount", [FEW, pytest.param(MANY, marks=pytest.mark.long)], ids=["few", "many"])
def test_every_validated_note_is_paid_exactly_once_whatever_happens(laboratory, amount):
    run_state_machine_as_test(machine_of(laboratory), settings=amount)
