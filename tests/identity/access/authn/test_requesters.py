"""In which profession somebody acts: that of the role in which they signed in, as long as it lasts."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from esante.core.journal import SYSTEM
from esante.core.storage import uuid7
from esante.identity.access import Delegate, Requester, delegate_requester, requester_of
from esante.identity.access.authn import authentication
from esante.identity.directory import Role
from tests.identity.access.conftest import BASE, a_practitioner
from tests.support.authentication_app import authentication_app

TODAY = datetime.now(UTC).date()


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setattr(authentication, "CACHE_SECONDS", 0)


@pytest.fixture
async def http(house, journal):
    transport = httpx.ASGITransport(authentication_app(house, journal))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as found:
        yield found


def a_role(profession, organization, until=None):
    return Role(
        id=uuid7(), organization_id=organization.id, profession=profession, since=date(2020, 1, 1), until=until
    )


@pytest.fixture
async def both(directory, house):
    """Somebody who is midwife and nurse at the hospital, and by their own profession osteopath."""
    found = replace(
        a_practitioner("Doppel", "osteopath", house.hospital.id),
        roles=(a_role("midwife", house.hospital), a_role("nurse", house.hospital)),
    )
    await directory.register_practitioners([found])
    return found


async def whoami(house, http, requester):
    token = await house.access.issue_token(requester, frozenset({"user/*.cruds"}), timedelta(minutes=5))
    answer = await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {token}"})
    return answer.json().get("profession", answer.status_code)


def test_role_is_chosen_at_the_sign_in(both, house):
    assert requester_of(both, house.hospital).profession == "midwife"
    assert requester_of(both, house.hospital, "nurse").profession == "nurse"
    assert requester_of(both, house.hospital, "doctor").profession == "midwife"
    assert requester_of(both).profession == "osteopath"


async def test_session_acts_in_the_chosen_role(house, http, both):
    assert await whoami(house, http, requester_of(both, house.hospital, "nurse")) == "nurse"
    assert await whoami(house, http, requester_of(both, house.hospital)) == "midwife"


async def test_role_that_ended_no_longer_counts(house, http, both, db):
    nursing = requester_of(both, house.hospital, "nurse")
    await db.fetchval(
        "UPDATE practitioner_role SET until = $2 WHERE practitioner_id = $1 AND profession = 'nurse'", both.id, TODAY
    )
    assert await whoami(house, http, nursing) == "osteopath"
    assert await whoami(house, http, requester_of(both, house.hospital, "midwife")) == "midwife"


async def test_work_without_a_request_keeps_the_chosen_role(house, both):
    nursing = requester_of(both, house.hospital, "nurse")
    assert (await house.access.reauthorize(nursing)).profession == "nurse"


@pytest.fixture
async def acting(directory, house):
    """A doctor, an assistant, and the assistant acting for the doctor by a delegation of today."""
    doctor = a_practitioner("Chef", "doctor", house.hospital.id)
    assistant = a_practitioner("Ada", "admin", house.hospital.id)
    await directory.register_practitioners([doctor, assistant])
    await directory.delegations.add(assistant, doctor, house.hospital.id, TODAY, actor=SYSTEM)
    return doctor, assistant, delegate_requester(assistant, doctor, house.hospital)


async def test_delegate_acts_as_the_professional_until_the_delegation_ends(house, http, directory, acting):
    doctor, assistant, requester = acting
    assert (requester.id, requester.delegate) == (doctor.id, Delegate(assistant.id, assistant.name))
    assert await whoami(house, http, requester) == "doctor"
    assert (await house.access.reauthorize(requester)).delegate == requester.delegate
    await directory.delegations.end(assistant.id, doctor.id, TODAY, actor=SYSTEM)
    assert await whoami(house, http, requester) == 401
    assert await house.access.reauthorize(requester) is None


@pytest.mark.parametrize("suspended", [0, 1])
async def test_suspension_of_either_ends_the_acting(house, http, directory, acting, suspended):
    requester = acting[2]
    await directory.suspensions.suspend(acting[suspended], "x", actor=SYSTEM)
    assert await whoami(house, http, requester) == 401


async def test_nobody_acts_for_a_professional_without_a_delegation(house, http, acting):
    requester = acting[2]
    stranger = replace(requester, delegate=Delegate(uuid7(), "Nobody"))
    assert await whoami(house, http, stranger) == 401
    elsewhere = replace(requester, organization_id=house.pharmacy.id)
    assert await whoami(house, http, elsewhere) == 401


def test_actor_names_the_registration_of_the_software():
    software = Requester(kind="organization", id=uuid7(), name="Site", client="Exempla 4", client_id="exempla")
    assert (software.actor.client, software.actor.client_id) == ("Exempla 4", "exempla")
