"""The machine of RA against the mock insurance as an oracle: acts, crashes, silence and reports in any order.

A crash is a cancellation of the sender between any two steps; what is lost is an answer, a message, or neither.
Afterwards everything that was asked for has happened once, and nothing else.
"""

import asyncio
import contextlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from esante.core import clock
from esante.core.storage import Objects
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.insurance.client import Insurance, Refused, Silent
from esante.services.billing.note.package import pack
from esante.services.billing.ra import reimbursement_store, rules
from esante.services.billing.ra.model import ConsentType, State
from tests.conftest import create_database, open_journal
from tests.support.billing import open_billing_world, ssn
from tests.support.mock_process import MockProcess

FAULTS = ("", "crash before", "crash after", "silent before", "silent after", "refused")


class FaultyInsurance(Insurance):
    """The insurance, of which the next call goes wrong in a given way."""

    fault = ""

    async def send(self, model: str, message: bytes) -> bytes:
        return await self._with_fault(super().send(model, message))

    async def settlement(self, secu_id: str):
        return await self._with_fault(super().settlement(secu_id))

    async def _with_fault(self, call):
        fault, self.fault = self.fault, ""
        if fault in ("", "crash after", "silent after"):
            answer = await call
            if not fault:
                return answer
        else:
            call.close()
        if fault.startswith("crash"):
            raise asyncio.CancelledError
        raise Refused("REFUSED", "refused by the test") if fault == "refused" else Silent("silenced by the test")


class Country:
    """What all examples share: the world over a database, the mock, a clock that runs when it is told to."""

    def __init__(self, runner: asyncio.Runner, mock: MockProcess, world) -> None:
        self.run, self.mock, self.world = runner.run, mock, world
        self.insurance = FaultyInsurance(mock.url, 20)
        self.sender = world.sender(self.insurance)
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@pytest.fixture(scope="module")
def country(server, tmp_path_factory):
    """The world, in an event loop of its own."""
    folder = tmp_path_factory.mktemp("machine")
    mock = MockProcess(folder, "cns", "--reimburse-after", "0")
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        journals = open_journal(runner.run(create_database(server)), folder)
        journal = runner.run(journals.__aenter__())
        world = runner.run(open_billing_world(journal.db, journal, Objects.open("", folder / "objects")))
        found = Country(runner, mock, world)
        stack.enter_context(clock.use_clock(found.now))
        yield found
        runner.run(found.insurance.close())
        runner.run(journals.__aexit__(None, None, None))
    mock.stop()


class Machine(RuleBasedStateMachine):
    """Acts of a doctor and a patient, and turns of the sender."""

    country: Country
    notes: Bundle = Bundle("notes")

    @initialize(automatic=st.booleans())
    def begin(self, automatic):
        self.run, self.world = self.country.run, self.country.world
        self.person = self.run(self.world.person())
        self.patient, self.doctor = requester_of(self.person), self.world.people["doctor"]
        self.biller = self.world.entries["doctor"]
        self.deposited: list[UUID] = []
        self.asked: set[UUID] = set()
        self.cancelled: set[UUID] = set()
        self.final: dict[UUID, tuple[State, dict]] = {}
        if automatic:
            until = self.country.now() + timedelta(days=3_000)
            self.run(self.world.consents.give(self.patient, self.person.id, ConsentType.CNS_AUTO, until))

    @rule(target=notes)
    def deposit(self):
        note = self.world.note(self.person)
        self.run(self.world.ra.deposit(self.doctor, self.biller, ssn(self.person), pack(note)))
        self.deposited.append(note.id)
        return note.id

    @rule(note_id=notes)
    def ask(self, note_id):
        with contextlib.suppress(Problem):
            self.run(self.world.ra.send(self.patient, self.person.id, note_id))
            self.asked.add(note_id)

    @rule(note_id=notes)
    def cancel(self, note_id):
        with contextlib.suppress(Problem):
            self.run(self.world.ra.cancel(self.doctor, self.biller, ssn(self.person), note_id))
            self.cancelled.add(note_id)

    @rule(target=notes, note_id=notes)
    def replace(self, note_id):
        note = self.world.note(self.person)
        try:
            self.run(self.world.ra.replace(self.doctor, self.biller, ssn(self.person), note_id, pack(note)))
        except Problem:
            return note_id
        self.cancelled.add(note_id)
        self.deposited.append(note.id)
        return note.id

    @rule(note_id=notes)
    def send_again(self, note_id):
        self.run(self.world.ra.send_again(self.doctor, self.biller, ssn(self.person), note_id))

    @rule(fault=st.sampled_from(FAULTS))
    def advance(self, fault):
        self.country.insurance.fault = fault
        with contextlib.suppress(asyncio.CancelledError):
            self.run(self.country.sender.advance())
        self.country.insurance.fault = ""

    @rule(minutes=st.sampled_from([1, 20]))
    def wait(self, minutes):
        self.country.offset += timedelta(minutes=minutes)

    @rule(note_id=notes)
    def report(self, note_id):
        """The insurance reports what it paid, perhaps before its answers arrived, perhaps once more."""
        known = self.country.mock.notes().get(str(note_id))
        if known is None or known["state"] not in ("asked", "reimbursed"):
            return
        self.run(
            self.world.ra.report(
                self.world.people["cns"],
                ssn(self.person),
                note_id,
                UUID(known["secu"]),
                Decimal("50.78"),
                date(2026, 11, 25),
            )
        )

    @invariant()
    def platform_and_insurance_agree(self):
        ours, theirs = self.reimbursements(), self.country.mock.notes()
        for note_id, one in ours.items():
            known = theirs.get(str(note_id))
            if one.secu_id is not None:
                assert known is not None
                assert known["secu"] == str(one.secu_id)
            if known is not None:
                assert one.tried
            if one.state in (State.CANCELED, State.CANCEL_REPLACED) and known is not None:
                assert known["state"] == "cancelled"
            if one.amount is not None:
                assert one.amount == Decimal("50.78")
            self.check_final(note_id, one, known)

    def check_final(self, note_id, one, known):
        """Nothing is sent any more for a note once it is in a final state, but by an act of its biller."""
        counts = {name: known[name] for name in ("deposits", "consents", "cancellations")} if known else {}
        if note_id in self.final:
            state, before = self.final[note_id]
            if one.state is state:
                assert counts == before
        if one.state in rules.FINAL:
            self.final[note_id] = one.state, counts

    def reimbursements(self):
        keys = [(self.person.id, note_id) for note_id in getattr(self, "deposited", ())]
        found = self.run(reimbursement_store.fetch_many(self.world.db, keys)) if keys else []
        return {one.note_id: one for one in found}

    def teardown(self):
        """Without faults, all that was asked for happens."""
        if not getattr(self, "deposited", None):
            return
        for note_id in self.deposited:
            self.send_again(note_id)
        for _ in range(6):
            self.country.offset += timedelta(minutes=20)
            self.run(self.drain())
        theirs = self.country.mock.notes()
        for note_id, one in self.reimbursements().items():
            known = theirs.get(str(note_id))
            if note_id in self.cancelled:
                assert one.state in (State.CANCELED, State.CANCEL_REPLACED)
                assert (known is None) == (one.secu_id is None)
            elif note_id in self.asked or one.asked_by == "consent":
                assert one.state is State.REIMBURSEMENT_SENT
                assert one.amount == Decimal("50.78")
            else:
                assert one.state in (State.SENT, State.REIMBURSEMENT_SENT)
                assert known["state"] in ("deposited", "reimbursed")
        waiting = self.run(
            reimbursement_store.fetch_waiting(self.world.db, [(self.person.id, one) for one in self.deposited])
        )
        assert waiting == []

    async def drain(self):
        for _ in range(40):
            if not await self.country.sender.advance():
                return


def test_all_that_was_asked_for_happens_once(country):
    Machine.country = country
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.long
def test_all_that_was_asked_for_happens_once_in_many_orders(country):
    Machine.country = country
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=1_000, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
