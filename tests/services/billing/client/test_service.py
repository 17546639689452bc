"""Fee notes over a network that is cut: each is paid, deposited or printed, and that once."""

import time
import uuid

import httpx
import pytest

from esante.services.billing.client import (
    Confirmations,
    FeeNoteClient,
    NoteFileError,
    NoteQueue,
    PlatformApi,
    QueueError,
    State,
    Way,
)
from esante.services.billing.client import service as client_service
from esante.services.billing.client.model import Unavailable
from esante.services.billing.client.note_file import read_note_file
from tests.support.billing_server import EHEALTH_ID, OTHER_CODE, note_file

SIM, VAL, DEPOSIT, KNOWN = "POST /pid/v1/simulations", "POST /pid/v1/payments", "POST /ra/v1/", "GET /"


def yes(entry):
    """Confirm everything."""
    return Confirmations()


def known(api, entry):
    """Return what the platform knows of a note."""
    return api.known(read_note_file(entry.body))


def wait_until_insurance_is_asked(api, billing):
    """Wait until the platform, which pauses after several failures in a row, asks the insurance again."""
    note = read_note_file(note_file(billing.matricule()))
    for _ in range(60):
        try:
            api.simulate(note)
        except Unavailable:
            time.sleep(0.5)
        else:
            return
    pytest.fail("the insurance is still not asked")


def counted(proxy, request):
    """Return how often a request reached the server."""
    return sum(line.startswith(request) for line in proxy.log)


def test_note_is_paid_at_once(client, billing, api):
    entry = client.send(note_file(billing.matricule()), yes)
    assert entry.state is State.PAID
    assert float(entry.statutory) > float(entry.personal) > 0
    assert known(api, entry).payment_id == entry.payment_id


def test_note_waits_for_the_confirmation_with_its_shares(client, billing):
    entry = client.send(note_file(billing.matricule()))
    assert (entry.state, entry.payment_id) == (State.SIMULATED, "")
    assert entry.personal
    assert client.catch_up() == [entry]
    paid = client.confirm(entry.id, Confirmations())
    assert paid.state is State.PAID
    assert client.confirm(entry.id, Confirmations()) == paid


def test_patient_who_declines_gets_a_deposited_note(client, billing, api):
    entry = client.send(note_file(billing.matricule()))
    assert client.decline(entry.id).state is State.DEPOSITED
    assert known(api, entry).way is Way.RA
    assert client.confirm(entry.id, Confirmations()).state is State.DEPOSITED


def test_paid_note_cannot_be_declined(client, billing, api):
    entry = client.send(note_file(billing.matricule()), yes)
    assert client.decline(entry.id) == entry
    assert known(api, entry).way is Way.PID


@pytest.mark.parametrize("side", ["before", "after"])
def test_lost_simulation_leads_to_a_deposit(client, proxy, billing, api, side):
    proxy.cut(SIM, side)
    entry = client.send(note_file(billing.matricule()), yes)
    assert (entry.state, entry.payment_id) == (State.DEPOSITED, "")
    assert known(api, entry).way is Way.RA
    assert counted(proxy, VAL) == 0


@pytest.mark.parametrize("side", ["before", "after"])
def test_lost_answer_of_a_payment_is_asked_again_and_never_deposited(client, proxy, billing, api, side):
    proxy.cut(VAL, side)
    entry = client.send(note_file(billing.matricule()), yes)
    assert (entry.state, entry.validating) == (State.SIMULATED, True)
    assert "awaited" in entry.cause
    assert client.decline(entry.id).state is State.PAID
    assert counted(proxy, DEPOSIT) == 0
    assert known(api, entry).payment_id == client.queue.find(entry.id).payment_id


@pytest.mark.parametrize("side", ["before", "after"])
def test_lost_deposit_leads_to_paper_and_is_made_up_for(client, proxy, billing, api, side):
    proxy.cut(DEPOSIT, side)
    entry = client.send(note_file(billing.matricule()), way=Way.RA)
    assert entry.state is State.PRINTED
    assert client.code(entry.id).startswith(f"MH1:{entry.id.upper()}:")
    assert client.advance(entry.id).state is State.DEPOSITED
    assert known(api, entry).way is Way.RA
    assert counted(proxy, DEPOSIT) == (2 if side == "after" else 1)


@pytest.mark.parametrize("side", ["before", "after"])
def test_lost_question_after_a_conflict_is_asked_again(client, proxy, billing, side):
    body = note_file(billing.matricule())
    proxy.cut(DEPOSIT, "after")
    client.send(body, way=Way.RA)
    proxy.cut(KNOWN, side)
    entry = client.send(body)
    assert entry.state is State.PRINTED
    assert "asking what is known" in entry.cause
    assert client.send(body).state is State.DEPOSITED


def test_without_a_network_the_note_is_printed_and_deposited_later_once(client, proxy, billing, api):
    proxy.down = True
    entry = client.send(note_file(billing.matricule()), yes)
    assert (entry.state, entry.way) == (State.PRINTED, Way.RA)
    assert client.advance(entry.id).attempts == entry.attempts + 1
    proxy.down = False
    assert client.advance(entry.id, yes).state is State.DEPOSITED
    assert client.advance(entry.id, yes).state is State.DEPOSITED
    assert (counted(proxy, DEPOSIT), counted(proxy, SIM)) == (1, 0)
    assert known(api, entry).way is Way.RA


def test_insurance_that_is_silent_leads_to_a_deposit(client, api, billing):
    faults = f"{billing.cns}/control/faults"
    httpx.put(faults, json={"silent": 1.0}).raise_for_status()
    try:
        entry = client.send(note_file(billing.matricule()), yes)
    finally:
        httpx.put(faults, json={"silent": 0.0}).raise_for_status()
    wait_until_insurance_is_asked(api, billing)
    assert entry.state is State.DEPOSITED
    assert "no immediate payment" not in entry.cause


def test_note_that_another_program_paid_is_taken_as_paid(client, api, billing, tmp_path):
    body = note_file(billing.matricule())
    other = FeeNoteClient(api, NoteQueue(tmp_path / "other.db"))
    paid = other.send(body, yes)
    assert client.send(body, way=Way.RA).payment_id == paid.payment_id
    assert client.queue.find(paid.id).state is State.PAID


def test_note_that_another_program_deposited_is_taken_as_deposited(client, api, billing, tmp_path):
    body = note_file(billing.matricule())
    FeeNoteClient(api, NoteQueue(tmp_path / "other.db")).send(body, way=Way.RA)
    assert client.send(body, yes).state is State.DEPOSITED


def test_two_programs_on_one_queue_pay_once(client, api, billing):
    body = note_file(billing.matricule())
    second = FeeNoteClient(api, client.queue)

    def confirm_while_the_other_pays(entry):
        assert second.confirm(entry.id, Confirmations()).state is State.PAID
        return Confirmations()

    entry = client.send(body, confirm_while_the_other_pays)
    assert entry.state is State.PAID
    assert known(api, entry).payment_id == entry.payment_id


def test_decision_that_another_program_made_meanwhile_counts(client, api, billing):
    second = FeeNoteClient(api, client.queue)

    def confirm_while_the_other_declines(entry):
        assert second.decline(entry.id).state is State.DEPOSITED
        return Confirmations()

    entry = client.send(note_file(billing.matricule()), confirm_while_the_other_declines)
    assert (entry.state, entry.payment_id) == (State.DEPOSITED, "")


@pytest.mark.parametrize(
    ("changes", "cause"),
    [({"code": OTHER_CODE}, "find"), ({"matricule": "1999123199999"}, "insured"), ({"gross": "99.00"}, "tariff is")],
)
def test_refused_note_has_its_cause_and_is_not_deposited(client, billing, proxy, changes, cause):
    options = {"matricule": billing.matricule()} | changes
    entry = client.send(note_file(**options), yes)
    assert entry.state is State.REFUSED
    assert cause in entry.cause
    assert counted(proxy, DEPOSIT) == 0


def test_refused_note_can_be_tried_again_on_the_other_way(client, billing):
    body = note_file(billing.matricule(), gross="99.00")
    assert client.send(body, yes).state is State.REFUSED
    assert client.send(body, way=Way.RA).state is State.DEPOSITED


def test_wrong_token_refuses_nothing(proxy, billing, tmp_path):
    client = FeeNoteClient(PlatformApi(proxy.base, "wrong", EHEALTH_ID), NoteQueue(tmp_path / "queue.db"))
    entry = client.send(note_file(billing.matricule()), yes)
    assert entry.state is State.PRINTED
    assert "401" in entry.cause


def test_page_of_a_proxy_is_no_answer(billing, tmp_path):
    def captive_portal(request):
        return httpx.Response(200, html="<p>Sign in to the hotel</p>")

    http = httpx.Client(transport=httpx.MockTransport(captive_portal))
    client = FeeNoteClient(PlatformApi("http://x", "t", EHEALTH_ID, http), NoteQueue(tmp_path / "queue.db"))
    assert client.send(note_file(billing.matricule()), yes).state is State.PRINTED


def test_waiting_note_is_tried_later_and_later(client, proxy, billing, monkeypatch):
    now = [1_000_000.0]
    monkeypatch.setattr(client_service.time, "time", lambda: now[0])
    proxy.down = True
    entry = client.send(note_file(billing.matricule()), way=Way.RA)
    pauses = []
    for _ in range(12):
        pauses.append(entry.next_at - now[0])
        assert client.catch_up() == []
        now[0] = entry.next_at
        (entry,) = client.catch_up()
    assert pauses[0] <= 2.0
    assert max(pauses) <= client_service.LONGEST_WAIT
    assert pauses[-1] > 100
    proxy.down = False
    now[0] = entry.next_at
    assert [one.state for one in client.catch_up()] == [State.DEPOSITED]
    now[0] += 1e6
    assert client.catch_up() == []


def test_other_note_with_the_same_uuid_is_refused(client, billing):
    note_id, matricule = uuid.uuid4(), billing.matricule()
    client.send(note_file(matricule, id=note_id), yes)
    with pytest.raises(QueueError, match=str(note_id)):
        client.send(note_file(matricule, id=note_id, gross="1.00"), yes)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "well-formed"),
        (b"<a/>", "memoireHonoraire"),
        (b"<memoireHonoraire/>", "entete/UUID"),
        (b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><memoireHonoraire>&e;</memoireHonoraire>', "UUID"),
        (b"x" * (8 * 1024 * 1024 + 1), "larger"),
    ],
)
def test_file_that_is_no_note_is_refused_with_its_cause(client, body, why):
    with pytest.raises(NoteFileError, match=why):
        client.send(body)
