"""The platform and the insurance as processes: the way of a note, and a server that is killed in the middle."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from esante.identity.access import Access, requester_of
from esante.identity.directory import Directory
from esante.services.billing.note.package import pack
from tests.support.directory_entries import (
    EHEALTH_ID,
    PROVIDER_CODE,
    Identifier,
    a_person,
    a_practitioner,
    an_organization,
)
from tests.support.fee_notes import a_note
from tests.support.mock_process import MockProcess
from tests.support.processes import Server
from tests.support.small_world import open_test_platform

CODE, EHEALTH = "91234567", "1234512345"


@dataclass
class Doctor:
    """A doctor's software: deposits notes, and asks how far they are."""

    server: Server
    token: str
    ssn: str

    @property
    def path(self) -> str:
        return f"{self.server.base}/ra/v1/practitioner/{EHEALTH}"

    def deposit(self, note) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.post(f"{self.path}/person/{self.ssn}/document", content=pack(note), headers=headers, timeout=60)

    def states(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        found = httpx.get(f"{self.path}/documents", params={"size": 100}, headers=headers, timeout=60)
        return {one["uuid"]: one["status"] for one in found.json()}


@pytest.fixture(scope="module")
async def people(tmp_path_factory):
    """A data folder with a doctor and a patient, and the doctor's token."""
    data = tmp_path_factory.mktemp("platform") / "data"
    async with open_test_platform(data) as platform:
        await platform.journal.ensure_months(datetime.now(UTC), datetime.now(UTC))
        practice = an_organization(kind="practice")
        identifiers = (Identifier(EHEALTH_ID, EHEALTH), Identifier(PROVIDER_CODE, CODE))
        doctor, person = a_practitioner(practice, identifiers=identifiers), a_person()
        await platform[Directory].register_organizations([practice])
        await platform[Directory].register_practitioners([doctor])
        await platform[Directory].register_person(person)
        requester = requester_of(doctor, practice)
        token = await platform[Access].issue_token(requester, frozenset({"user/Claim.cruds"}), timedelta(hours=2))
    return data, token, person.identifiers[0].value


@pytest.mark.long
def test_notes_survive_kills_of_the_server_and_arrive_once(people, tmp_path):
    """Notes are deposited while the insurance is slow and often silent; the server is killed three times."""
    data, token, ssn = people
    mock = MockProcess(tmp_path, "cns", "--latency", "0.2", "--silent", "0.2", "--seed", "7")
    settings = {
        "ESANTE_CNS_URL": mock.url,
        "ESANTE_CNS_TIMEOUT": "1",
        "ESANTE_RA_INTERVAL": "1",
    }
    server = Server(data, **settings).start()
    doctor, kept = Doctor(server, token, ssn), set()
    try:
        for _ in range(3):
            for _ in range(4):
                note = a_note(matricule=ssn, code=CODE)
                assert doctor.deposit(note).status_code == 200
                assert doctor.deposit(note).status_code == 409
                kept.add(str(note.id))
            time.sleep(1.5)
            server.kill()
            server.start()
        mock.set_faults(silent=0.0, latency=0.0)
        deadline = time.monotonic() + 200  # a message that was under way at a kill waits for its lease
        while set(doctor.states().values()) != {"SENT"} and time.monotonic() < deadline:
            time.sleep(1)
        assert set(doctor.states()) == kept
        assert set(doctor.states().values()) == {"SENT"}
        assert set(mock.notes()) == kept
    finally:
        server.stop()
        mock.stop()


def test_deposited_note_reaches_the_insurance_by_itself(people, tmp_path):
    data, token, ssn = people
    mock = MockProcess(tmp_path, "cns")
    server = Server(data, ESANTE_CNS_URL=mock.url, ESANTE_RA_INTERVAL="1").start()
    doctor, note = Doctor(server, token, ssn), a_note(matricule=ssn, code=CODE)
    try:
        assert doctor.deposit(note).status_code == 200
        deadline = time.monotonic() + 60
        while str(note.id) not in mock.notes() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert str(note.id) in mock.notes()
        assert doctor.deposit(note).json()["error"] == "duplicate"
        unknown = httpx.get(f"{server.base}/ra/v1/person/{ssn}/documents", timeout=60)
        assert (unknown.status_code, unknown.headers["content-type"]) == (401, "application/json")
    finally:
        server.stop()
        mock.stop()
