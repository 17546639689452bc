"""The sending to the mock insurance as a process, with each of its faults, over a real database."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import uvicorn

from esante.core import clock
from esante.core.storage import NIL
from esante.identity.access import requester_of
from esante.services.billing.insurance.client import Insurance
from esante.services.billing.note import note_store
from esante.services.billing.note.package import pack
from esante.services.billing.ra import reimbursement_store, rules
from esante.services.billing.ra.model import AnomalyFound, ConsentType, MessageFailed, ReimbursementChanged, State
from tests.support.billing import ssn
from tests.support.mock_process import MockProcess
from tests.support.processes import free_port


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    """A mock insurance that pays at once."""
    mock = MockProcess(tmp_path_factory.mktemp("mock"), "cns", "--reimburse-after", "0")
    yield mock
    mock.stop()


@pytest.fixture(autouse=True)
def no_faults(mock):
    """Each test begins without faults."""
    mock.set_faults(refuse="", silent=0.0, latency=0.0, down_after=0, down_for=0.0)


@pytest.fixture
async def sender(world, mock):
    """The sender over the mock; nothing of other tests waits."""
    insurance = Insurance(mock.url, 1.0)
    await world.db.fetch("DELETE FROM billing_waiting")
    yield world.sender(insurance)
    await insurance.close()


async def deposit(world, person, **changes):
    note = world.note(person, **changes)
    await world.ra.deposit(world.people["doctor"], world.entries["doctor"], ssn(person), pack(note))
    return note


async def found(world, person, note):
    return await reimbursement_store.fetch(world.db, person.id, note.id)


async def waiting(world, person, note):
    rows = await reimbursement_store.fetch_waiting(world.db, [(person.id, note.id)])
    return rows[0] if rows else None


async def test_note_goes_from_deposit_to_money(world, mock, sender):
    person = await world.person()
    note = await deposit(world, person)
    await sender.run()
    sent = await found(world, person, note)
    assert (sent.state, str(sent.secu_id)) == (State.SENT, mock.notes()[str(note.id)]["secu"])
    assert await waiting(world, person, note) is None
    assert (await note_store.fetch_note(world.db, person.id, note.id)).sent_at
    await world.ra.send(requester_of(person), person.id, note.id)
    await sender.run()
    paid = await found(world, person, note)
    assert (paid.state, paid.amount) == (State.REIMBURSEMENT_SENT, Decimal("50.78"))
    states = [one.state for one in await world.events(person, ReimbursementChanged)]
    assert states == ["SENT", "REIMBURSEMENT_ASKED", "REIMBURSEMENT_SENT"]
    counts = mock.notes()[str(note.id)]
    assert (counts["deposits"], counts["consents"], counts["cancellations"]) == (1, 1, 0)


async def test_consent_sends_paid_notes_by_itself(world, mock, sender):
    person = await world.person()
    until = datetime.now(UTC) + timedelta(days=30)
    await world.consents.give(requester_of(person), person.id, ConsentType.CNS_AUTO, until)
    paid = await deposit(world, person)
    settlement = replace(world.note(person).settlement, settled=False, settled_on=None)
    unpaid = await deposit(world, person, settlement=settlement)
    await sender.run()
    assert (await found(world, person, paid)).state is State.REIMBURSEMENT_SENT
    assert (await found(world, person, unpaid)).state is State.SENT
    await world.consents.end(requester_of(person), person.id, ConsentType.CNS_AUTO)
    later = await deposit(world, person)
    await sender.run()
    assert (await found(world, person, later)).state is State.SENT


async def test_replaced_note_is_cancelled_there_with_the_new_one(world, mock, sender):
    person = await world.person()
    old = await deposit(world, person)
    await sender.run()
    new = world.note(person)
    await world.ra.replace(
        world.people["doctor"], world.entries["doctor"], ssn(person), old.id, pack(new), "mauvais code"
    )
    await sender.run()
    assert (await found(world, person, old)).state is State.CANCEL_REPLACED
    theirs = mock.notes()
    assert (theirs[str(old.id)]["state"], theirs[str(old.id)]["replaced_by"]) == ("cancelled", str(new.id))
    assert theirs[str(new.id)]["state"] == "deposited"


async def test_silence_loses_nothing(world, mock, sender):
    """No answer comes, though every second message is carried out: each note is there once in the end."""
    person = await world.person()
    notes = [await deposit(world, person) for _ in range(3)]
    mock.set_faults(silent=1.0)
    for _ in range(3):
        await sender.advance()
    assert [(await found(world, person, one)).state for one in notes] == [State.RECEIVED] * 3
    assert all([(await waiting(world, person, one)).failures == 1 for one in notes])
    mock.set_faults(silent=0.0)
    later = clock.now() + timedelta(minutes=1)
    with clock.use_clock(lambda: later):
        await sender.run()
    assert [(await found(world, person, one)).state for one in notes] == [State.SENT] * 3
    theirs = mock.notes()
    assert all(str(one.id) in theirs for one in notes)


async def test_insurance_down_for_an_hour_loses_nothing(world, mock, sender):
    person = await world.person()
    note = await deposit(world, person)
    mock.take_down(3600.0)
    await sender.advance()
    moment = clock.now()
    for _ in range(60):
        moment += timedelta(minutes=1)
        with clock.use_clock(lambda at=moment: at):
            await sender.run()
    wait = await waiting(world, person, note)
    assert not wait.dead
    assert 5 < wait.failures < 15
    assert "503" in wait.last_error or "not asked" in wait.last_error
    mock.set_faults(down_for=0.0)
    with clock.use_clock(lambda: moment + timedelta(hours=1)):
        await sender.run()
    assert (await found(world, person, note)).state is State.SENT


async def test_without_insurance_everything_waits_unchanged(world):
    person = await world.person()
    note, insurance = await deposit(world, person), Insurance("")
    await world.sender(insurance).run()
    assert (await waiting(world, person, note)).failures == 0
    await insurance.close()


async def test_many_messages_do_not_fail_while_insurance_rests(world, mock, sender):
    """Of many messages only some are tried while the insurance is down; the others have lost no attempt."""
    person = await world.person()
    notes = [await deposit(world, person) for _ in range(20)]
    mock.take_down(3600.0)
    await sender.run()
    failures = [(await waiting(world, person, note)).failures for note in notes]
    assert 5 <= sum(failures) <= 8


async def test_refused_note_is_given_up_shown_and_sent_again(world, mock, sender):
    person = await world.person()
    note = await deposit(world, person)
    mock.set_faults(refuse="C42")
    await sender.run()
    one = await found(world, person, note)
    assert (one.state, [it.code for it in one.anomalies]) == (State.RECEIVED, ["C42"])
    assert (await waiting(world, person, note)).dead
    assert [it.codes for it in await world.events(person, AnomalyFound)] == [("C42",)]
    [failed] = [it.event for it in await world.journal.entries_of(NIL, [MessageFailed], limit=1)]
    assert (failed.note_id, failed.message) == (note.id, "deposit")
    before = len(mock.messages())
    later = clock.now() + timedelta(days=1)
    with clock.use_clock(lambda: later):
        await sender.run()
    assert len(mock.messages()) == before
    async with world.client("doctor") as client:
        path = f"/practitioner/{world.ehealth_id()}/person/{ssn(person)}/document/{note.id}"
        assert (await client.get(path)).json()["failed"].startswith("C42")
        mock.set_faults(refuse="")
        assert (await client.post(f"{path}/send")).status_code == 200
        await sender.run()
        assert (await client.get(path)).json()["status"] == "SENT"
        assert (await client.get(path)).json()["failed"] is None
    async with world.client("other") as client:
        assert (await client.post(f"{path}/send")).status_code == 404


async def test_message_is_given_up_after_many_failures(world, mock, sender):
    person = await world.person()
    note = await deposit(world, person)
    mock.take_down(1e9)
    await sender.advance()
    moment = clock.now()
    for _ in range(rules.MAX_FAILURES + 5):
        moment += timedelta(minutes=20)
        with clock.use_clock(lambda at=moment: at):
            await sender.run()
    wait = await waiting(world, person, note)
    assert (wait.dead, wait.failures) == (True, rules.MAX_FAILURES)
    assert [one.note_id for one in (await world.ra.given_up(world.people["operator"])).items][:1] == [note.id]
    found = await world.ra.given_up(world.people["operator"], text=str(note.id)[:13].upper())
    assert [one.note_id for one in found.items] == [note.id]
    assert (await world.ra.given_up(world.people["operator"], text="xyzzy")).items == []


async def test_cancellation_that_crosses_a_refusal_is_sent(world, mock, sender):
    """The doctor cancels while the consent is refused: the cancellation is not lost."""
    person = await world.person()
    note = await deposit(world, person)
    await sender.run()
    await world.ra.send(requester_of(person), person.id, note.id)
    mock.set_faults(refuse="C1", latency=0.5)
    turn = asyncio.create_task(sender.advance())
    await asyncio.sleep(0.2)
    await world.ra.cancel(world.people["doctor"], world.entries["doctor"], ssn(person), note.id)
    await turn
    mock.set_faults(refuse="", latency=0.0)
    await sender.run()
    assert (await found(world, person, note)).state is State.CANCELED
    assert mock.notes()[str(note.id)]["state"] == "cancelled"


async def test_two_senders_send_each_message_once(world, mock):
    person = await world.person()
    await world.db.fetch("DELETE FROM billing_waiting")
    notes = [await deposit(world, person) for _ in range(10)]
    clients = [Insurance(mock.url, 5) for _ in range(2)]
    await asyncio.gather(*(world.sender(one).run() for one in clients))
    for one in clients:
        await one.close()
    assert {mock.notes()[str(note.id)]["deposits"] for note in notes} == {1}


async def test_anomaly_of_insurance_is_kept_and_shown(world, tmp_path):
    mock = MockProcess(tmp_path, "cns", "--anomaly", "A7")
    insurance = Insurance(mock.url, 5)
    person = await world.person()
    await world.db.fetch("DELETE FROM billing_waiting")
    note = await deposit(world, person)
    await world.sender(insurance).run()
    async with world.client(person) as client:
        shown = (await client.get(f"/person/{ssn(person)}/document/{note.id}")).json()
    assert (shown["status"], shown["anomalies"]) == ("SENT", [{"type": "warning", "code": "A7", "motif": ""}])
    await insurance.close()
    mock.stop()


@asynccontextmanager
async def serving(world):
    """The REST service on a port of this machine."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(world.app(), port=port, log_level="warning"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


@pytest.mark.parametrize("options", [["--duplicate"], ["--reorder"], ["--duplicate", "--reorder"]])
async def test_reports_twice_and_too_early_count_once(world, tmp_path, options):
    """The insurance reports the payment before it answers the consent, and more than once."""
    token = await world.access.issue_token(world.people["cns"], frozenset({"system/Claim.cruds"}), timedelta(hours=1))
    person = await world.person()
    await world.db.fetch("DELETE FROM billing_waiting")
    async with serving(world) as base:
        callback = ["--callback", f"{base}/ra/v1/cns/reimbursements", "--token", token]
        mock = await asyncio.to_thread(MockProcess, tmp_path, "cns", "--reimburse-after", "0.2", *callback, *options)
        insurance = Insurance(mock.url, 5)
        sender = world.sender(insurance, timedelta(hours=1))
        note = await deposit(world, person)
        await world.ra.send(requester_of(person), person.id, note.id)
        await sender.run()
        for _ in range(100):
            if (await found(world, person, note)).state is State.REIMBURSEMENT_SENT:
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.3)
        await insurance.close()
        await asyncio.to_thread(mock.stop)
    paid = await found(world, person, note)
    assert (paid.state, paid.amount, paid.consented) == (State.REIMBURSEMENT_SENT, Decimal("50.78"), True)
    assert len([one for one in await world.events(person, ReimbursementChanged) if one.amount]) == 1
    assert await waiting(world, person, note) is None
    assert f"reported {note.id}: 200" in mock.output
