"""Somebody who is suspended: their sessions, tokens and apps end, and nothing begins anew."""

from datetime import timedelta

import httpx
import pytest

from esante.core.journal import SYSTEM
from esante.core.storage import NIL
from esante.identity.access import AppEnded, SignInRefused, SignInsEnded, requester_of
from esante.identity.access.authn import authentication
from tests.identity.access.conftest import BASE, a_practitioner
from tests.support.authentication_app import authentication_app
from tests.support.smart_apps import app, browser, key, platform, registered, signed_in

__all__ = ["app", "browser", "key", "platform", "registered", "signed_in"]
ALL = frozenset({"user/*.cruds"})


@pytest.fixture
async def http(house, journal):
    transport = httpx.ASGITransport(authentication_app(house, journal))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as found:
        yield found


@pytest.fixture
async def doctor(house):
    """A doctor of the hospital, of whom only one test knows."""
    entry = a_practitioner("Scholer", "doctor", house.hospital.id)
    await house.directory.register_practitioners([entry])
    return entry


@pytest.fixture
def no_cache(monkeypatch):
    """No status is cached: what another process would know after seconds is known at once."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", 0.0)


async def suspend(house, entry):
    await house.directory.suspensions.suspend(entry, "struck off", actor=SYSTEM)
    return await house.access.end_sign_ins(entry.id, actor=SYSTEM)


async def test_token_of_suspended_doctor_is_refused_at_once(house, http, doctor):
    requester = requester_of(doctor, house.hospital)
    token = await house.access.issue_token(requester, ALL, timedelta(hours=1))
    header = {"Authorization": f"Bearer {token}"}
    assert (await http.get("/fhir/whoami", headers=header)).status_code == 200
    assert (await suspend(house, doctor)).tokens == 1
    assert (await http.get("/fhir/whoami", headers=header)).status_code == 401


async def test_status_alone_refuses_a_token_that_was_not_ended(house, http, doctor, no_cache):
    token = await house.access.issue_token(requester_of(doctor, house.hospital), ALL, timedelta(hours=1))
    header = {"Authorization": f"Bearer {token}"}
    assert (await http.get("/fhir/whoami", headers=header)).status_code == 200
    await house.directory.suspensions.suspend(doctor, "struck off", actor=SYSTEM)
    assert (await http.get("/fhir/whoami", headers=header)).status_code == 401
    await house.directory.suspensions.restore(doctor, actor=SYSTEM)
    assert (await http.get("/fhir/whoami", headers=header)).status_code == 200


async def test_session_of_suspended_doctor_ends_and_no_other_begins(house, http, journal, no_cache):
    doctor = await house.directory.practitioner(house.doctor.id)
    await http.post("/become")
    assert (await http.get("/page")).status_code == 200
    await house.directory.suspensions.suspend(doctor, "struck off", actor=SYSTEM)
    answer = await http.get("/page")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    assert (await house.access.end_sign_ins(doctor.id, actor=SYSTEM)).sessions == 1
    refused = await http.post("/become")
    assert refused.status_code == 403 and "set-cookie" not in refused.headers
    (entry, *_) = await journal.entries_of(NIL, [SignInRefused])
    assert (entry.event.reason, entry.event.subject) == ("suspended", str(doctor.id))
    await house.directory.suspensions.restore(doctor, actor=SYSTEM)
    assert (await http.get("/page")).status_code == 303
    assert (await http.post("/become")).status_code == 303
    assert (await http.get("/page")).status_code == 200


async def test_apps_and_refresh_tokens_end_and_are_journalled(house, signed_in, app, journal):
    anna = await house.open_patient()
    user = await signed_in(anna)
    app.scope += " offline_access"
    body = (await app.exchange(await user.authorize(app))).json()
    ended = await suspend(house, await house.directory.person(anna.id))
    assert ended.apps == 1 and ended.tokens == 1 and ended.sessions == 1
    assert (await app.call_api(body["access_token"])).status_code == 401
    assert (await app.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    (entry,) = await journal.entries_of(anna.id, [AppEnded])
    assert entry.event.cause == "suspended"
    (entry,) = await journal.entries_of(anna.id, [SignInsEnded])
    assert (entry.event.subject_id, entry.event.apps) == (anna.id, 1)


async def test_refresh_asks_the_status_of_the_directory(house, signed_in, app):
    anna = await house.open_patient()
    user = await signed_in(anna)
    app.scope += " offline_access"
    body = (await app.exchange(await user.authorize(app))).json()
    allowed_before = await user.open(app)
    code = app.parse_response(allowed_before.headers["location"])["code"]
    await house.directory.suspensions.suspend(await house.directory.person(anna.id), "asked", actor=SYSTEM)
    assert (await app.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_suspended_requester_is_not_reauthorized(house, doctor, no_cache):
    requester = requester_of(doctor, house.hospital)
    assert await house.access.reauthorize(requester) is not None
    await suspend(house, doctor)
    assert await house.access.reauthorize(requester) is None


async def test_nobody_acts_for_suspended_organization(house, http, no_cache):
    people = await house.access.issue_token(house.pharmacist, ALL, timedelta(hours=1))
    software = await house.access.issue_token(
        requester_of(house.pharmacy), frozenset({"system/*.cruds"}), timedelta(hours=1)
    )

    async def whoami(token):
        return await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {token}"})

    assert (await whoami(people)).json()["organization"] == str(house.pharmacy.id)
    await house.directory.suspensions.suspend(house.pharmacy, "closed", actor=SYSTEM)
    assert (await whoami(software)).status_code == 401
    assert (await whoami(people)).json()["organization"] == "None"
    await house.directory.suspensions.restore(house.pharmacy, actor=SYSTEM)
