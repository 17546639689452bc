"""The mock of the insurance as vendors use it: its messages, its faults, its controls."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from esante.core.clock import use_clock
from esante.services.billing.insurance.client import Insurance, Refused, Silent
from esante.services.billing.insurance.messages import (
    CANCELLATION,
    CONSENT,
    DEPOSIT,
    Cancellation,
    ReimbursementConsent,
    read_answer,
    write_cancellation,
    write_consent,
)
from esante.services.billing.mocks.cns import MockCns
from esante.services.billing.note.national_xml import write_note
from tests.support.fee_notes import TEST_MATRICULE, a_line, a_note
from tests.support.mock_process import MockProcess
from tests.support.processes import free_port, run_esante

ON = date(2026, 11, 20)


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    """A mock that pays at once."""
    mock = MockProcess(tmp_path_factory.mktemp("mock"), "cns", "--reimburse-after", "0")
    yield mock
    mock.stop()


@pytest.fixture
async def insurance(mock):
    """A client of the mock without faults."""
    mock.set_faults(refuse="", silent=0.0, latency=0.0, down_after=0, down_for=0.0)
    client = Insurance(mock.url, 2)
    yield client
    await client.close()


async def deposited(insurance, note):
    return read_answer(await insurance.send(DEPOSIT, write_note(note))).secu_id


async def test_reimbursement_is_reported_although_the_timer_ends_before_the_note_is_due():
    now, lines = datetime(2026, 11, 20, 10, tzinfo=UTC), []
    mock = MockCns(reimburse_after=0.01, callback=f"http://127.0.0.1:{free_port()}/", say=lines.append)
    with use_clock(lambda: now):
        await mock.take(DEPOSIT, write_note(a_note(a_line())))
        [note] = mock.notes.values()
        await mock.take(CONSENT, write_consent(ReimbursementConsent(secu_id=note.secu_id, matricule=note.matricule)))
        await asyncio.sleep(0.1)
        assert note.state == "asked"
        now += timedelta(seconds=1)
        for _ in range(100):
            if any(one.startswith(f"could not report {note.note_id}") for one in lines):
                break
            await asyncio.sleep(0.05)
    assert note.state == "reimbursed"
    assert lines[-1].startswith(f"could not report {note.note_id}")


async def test_golden_note_is_paid_half_up_per_line(insurance):
    note = a_note(a_line(gross="57.70"), a_line(2, gross="0.00"))
    secu_id = await deposited(insurance, note)
    assert (await insurance.settlement(str(secu_id)))["state"] == "deposited"
    await insurance.send(CONSENT, write_consent(ReimbursementConsent(secu_id=secu_id, matricule=TEST_MATRICULE)))
    assert (await insurance.settlement(str(secu_id)))["amount"] == "50.78"


async def test_repeated_deposit_has_the_same_answer(insurance):
    note = a_note()
    assert await deposited(insurance, note) == await deposited(insurance, note)


async def refusal(insurance, model, message) -> str:
    with pytest.raises(Refused) as raised:
        await insurance.send(model, message)
    return raised.value.code


async def test_wrong_messages_are_refused_with_their_cause(insurance):
    note = a_note()
    secu_id = await deposited(insurance, note)
    other = a_note(a_line(gross="1.00"), id=note.id)
    assert await refusal(insurance, DEPOSIT, write_note(other)) == "DUPLICATE"
    assert await refusal(insurance, DEPOSIT, b"<a/>") == "XML"
    assert await refusal(insurance, "OTHER", b"<a/>") == "MODEL"
    wrong_person = ReimbursementConsent(secu_id=secu_id, matricule="1900123456711")
    assert await refusal(insurance, CONSENT, write_consent(wrong_person)) == "PERSON"
    unknown = ReimbursementConsent(secu_id=uuid4(), matricule=TEST_MATRICULE)
    assert await refusal(insurance, CONSENT, write_consent(unknown)) == "UNKNOWN"
    with pytest.raises(Refused):
        await insurance.settlement(str(UUID(int=0)))


async def test_cancelled_note_is_not_paid(insurance):
    note = a_note()
    secu_id = await deposited(insurance, note)
    await insurance.send(CANCELLATION, write_cancellation(Cancellation(note_id=note.id, secu_id=secu_id, reason="x")))
    consent = write_consent(ReimbursementConsent(secu_id=secu_id, matricule=TEST_MATRICULE))
    assert await refusal(insurance, CONSENT, consent) == "CANCELLED"


async def test_everybody_is_insured_unless_it_is_told_otherwise(insurance, mock):
    [cover] = await insurance.cover("1985041200173", ON)
    assert (cover.fund, cover.since) == ("CNS", date(1985, 4, 12))
    assert len(await insurance.cover(TEST_MATRICULE, ON)) == 1
    mock.set_insured("1985041200174", [])
    assert await insurance.cover("1985041200174", ON) == []
    mock.set_insured("1985041200175", [{"fund": "CMFEP", "since": "2000-01-01", "third_party_payer": True}])
    [cover] = await insurance.cover("1985041200175", ON)
    assert cover.third_party_payer


async def test_faults_are_set_while_it_runs(insurance, mock):
    mock.set_faults(refuse="C9")
    assert await refusal(insurance, DEPOSIT, write_note(a_note())) == "C9"
    mock.set_faults(refuse="1.0")
    assert await refusal(insurance, DEPOSIT, write_note(a_note())) == "REFUSED"
    mock.set_faults(refuse="0.0", down_after=1, down_for=100.0)
    await insurance.cover("1985041200176", ON)
    with pytest.raises(Silent, match="503"):
        await insurance.cover("1985041200177", ON)
    mock.set_faults(down_for=0.0, latency=5.0)
    with pytest.raises(Silent):
        await insurance.cover("1985041200178", ON)


def test_unknown_fault_is_refused(mock):
    for wrong in ({"x": 1}, {"silent": "often"}, []):
        assert httpx.put(f"{mock.url}/control/faults", json=wrong).status_code == 400


def test_body_over_bound_is_refused(mock):
    response = httpx.post(f"{mock.url}/messages/{DEPOSIT}", content=bytes(9 * 1024 * 1024))
    assert response.status_code == 413


def test_it_prints_what_it_got(mock):
    note = a_note()
    httpx.post(f"{mock.url}/messages/{DEPOSIT}", content=write_note(note))
    assert f"{DEPOSIT} {note.id}: 200" in mock.output


def test_help_names_every_fault():
    text = run_esante("mock", "cns", "--help").stdout
    for option in ("--latency", "--refuse", "--silent", "--duplicate", "--reorder", "--down-after", "--down-for"):
        assert option in text


async def test_approvals_are_those_that_were_set(insurance, mock):
    assert await insurance.approvals("1980051012345") == []
    approval = {"code": "9T08", "since": "2026-11-01", "until": "2026-12-31", "quantity": 2}
    mock.set_approvals("1980051012345", [approval])
    [found] = await insurance.approvals("1980051012345")
    assert (found.code, found.since, found.until, found.quantity) == ("9T08", date(2026, 11, 1), date(2026, 12, 31), 2)
