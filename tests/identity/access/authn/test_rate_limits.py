"""Rate limits, and sampled journal entries of rejected requests."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette

from esante.core.storage import NIL, uuid7
from esante.core.web import HANDLERS, Problem, network_of
from esante.identity.access import (
    RequestRejected,
)
from esante.identity.access.authn import rate_limits
from esante.identity.access.authn.rate_limits import ANONYMOUS, MAX_REJECTIONS, RateLimits
from esante.identity.access.events import SignInRefused
from esante.identity.directory import api_routes as directory_routes
from tests.identity.access.conftest import BASE, MRN, terms, within_one_window
from tests.support.authentication_app import authentication_app


@pytest.fixture
async def ask(house, journal):
    """Sends a request to access's own API from an address, with a token."""
    clients = []

    async def send(path, token, origin="192.0.2.50"):
        transport = httpx.ASGITransport(authentication_app(house, journal), client=(origin, 1))
        clients.append(httpx.AsyncClient(transport=transport, base_url=BASE))
        return await clients[-1].get(path, headers={"Authorization": f"Bearer {token}"})

    yield send
    for client in clients:
        await client.aclose()


async def rejections(journal, *origins):
    """Return the entries of rejected requests from some addresses, newest first."""
    return [entry for entry in await journal.entries_of(NIL, [RequestRejected], limit=50) if entry.origin in origins]


async def test_unknown_tokens_are_journalled_once_per_origin(ask, journal):
    await within_one_window()
    for origin in ("192.0.2.60", "192.0.2.61"):
        answers = [await ask("/fhir/whoami/Patient", token, origin) for token in ("x", "A" * 43, "")]
        assert {answer.status_code for answer in answers} == {401}
    entries = await rejections(journal, "192.0.2.60", "192.0.2.61")
    assert [(entry.origin, entry.event.reason, entry.actor.id) for entry in entries] == [
        ("192.0.2.61", "token", None),
        ("192.0.2.60", "token", None),
    ]
    assert "A" * 43 not in str(entries)


async def test_missing_scope_is_journalled_once_with_requester_and_scope(house, ask, journal):
    await within_one_window()
    token = await house.access.issue_token(house.doctor, frozenset({"user/Patient.rs"}), timedelta(minutes=1))
    for _ in range(3):
        assert (await ask("/fhir/whoami/Observation", token)).status_code == 403
        assert (await ask("/fhir/AuditEvent?patient=x", token)).status_code == 403
    entries = await rejections(journal, "192.0.2.50")
    assert [(entry.actor.id, entry.event.reason, entry.event.needed) for entry in entries] == [
        (house.doctor.id, "scope", "AuditEvent.s"),
        (house.doctor.id, "scope", "Observation.rs"),
    ]


async def test_rejections_in_one_window_are_bounded(db, journal, house):
    await within_one_window()
    limits = RateLimits(db, journal)
    before = await db.fetchval("SELECT count(*) FROM journal_entry WHERE type = 'access.turned_away'")
    for start in range(0, MAX_REJECTIONS + 200, 100):
        acts = [limits.record_rejection("token", house.doctor.actor, f"origin {n}") for n in range(start, start + 100)]
        await asyncio.gather(*acts)
    after = await db.fetchval("SELECT count(*) FROM journal_entry WHERE type = 'access.turned_away'")
    assert after - before == MAX_REJECTIONS


async def test_exceeded_limit_is_journalled_once_per_window(db, journal, house):
    await within_one_window()
    limits, subject = RateLimits(db, journal), f"test:{uuid7()}"

    async def attempt():
        try:
            await limits.count_attempts(
                {subject: 3}, terms().attempt_window, actor=house.doctor.actor, origin="192.0.2.9"
            )
        except Problem as problem:
            return problem.status
        return 200

    answers = await asyncio.gather(*(attempt() for _ in range(8)))
    assert sorted(answers) == [200, 200, 200, 429, 429, 429, 429, 429]
    [entry] = await rejections(journal, "192.0.2.9")
    assert (entry.event.reason, entry.actor.id) == ("limit", house.doctor.id)


async def test_person_search_is_throttled_after_limit(house, db, journal, fresh):
    await within_one_window()
    doctor = fresh(house.doctor)
    anna = await house.patient()
    identifier = f"{MRN}|{await house.identifier(anna)}"
    token = await house.access.issue_token(doctor, frozenset({"user/*.rs"}), timedelta(minutes=5))
    app = Starlette(
        routes=directory_routes(house.directory, house.access.authorize_lookup, f"{BASE}/fhir"),
        exception_handlers=HANDLERS,
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers=headers) as http:

        async def search():
            return await http.get("/fhir/Patient", params={"identifier": identifier})

        assert len((await search()).json()["entry"]) == 1
        most = terms().searches_per_requester
        await db.fetch("UPDATE access_attempt SET attempts = $1 WHERE subject = $2", most, f"search:{doctor.id}")
        refused = await search()
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
        assert (await http.get(f"/fhir/Patient/{anna.id}")).status_code == 200
        assert (await http.get("/fhir/Organization")).status_code == 200


async def test_unknown_persons_searched_refuse_every_search_after_limit(house, fresh):
    await within_one_window()
    doctor = fresh(house.doctor)
    known = f"{MRN}|{await house.identifier(await house.patient())}"
    token = await house.access.issue_token(doctor, frozenset({"user/*.rs"}), timedelta(minutes=5))
    app = Starlette(
        routes=directory_routes(house.directory, house.access.authorize_lookup, f"{BASE}/fhir"),
        exception_handlers=HANDLERS,
    )
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers=headers) as http:

        async def search(identifier):
            return (await http.get("/fhir/Patient", params={"identifier": identifier})).status_code

        most = terms().unknown_per_requester
        assert [await search(f"{MRN}|{uuid7()}") for _ in range(most)] == [200] * most
        assert await search(f"{MRN}|{uuid7()}") == await search(known) == 429


async def test_organization_software_has_higher_search_limit(house, db):
    await within_one_window()
    limits = RateLimits(db, None)
    software = replace(house.software, id=uuid7())
    await limits.count_search(software)
    most = terms().searches_per_requester
    await db.fetch("UPDATE access_attempt SET attempts = $1 WHERE subject = $2", most, f"search:{software.id}")
    await limits.count_search(software)


async def test_addresses_of_one_network_are_counted_and_journalled_as_one(db, journal, house, ask):
    await within_one_window()
    network = f"2001:db8:{uuid7().hex[-4:]}:{uuid7().hex[-4:]}"
    limits, terms_ = RateLimits(db, journal), terms()
    guesser = replace(house.doctor, id=uuid7(), origin=f"{network}::1")
    await limits.count_guess(guesser, terms_)
    subject = f"origin:{network_of(f'{network}::1')}"
    await db.fetch("UPDATE access_attempt SET attempts = $1 WHERE subject = $2", terms_.attempts_per_origin, subject)
    with pytest.raises(Problem) as refused:
        await limits.count_guess(replace(guesser, id=uuid7(), origin=f"{network}:1:2:3:4"), terms_)
    assert refused.value.status == 429
    for last in range(1, 4):
        await limits.record_rejection("token", ANONYMOUS, f"{network}:9::{last}")
    assert len(await rejections(journal, *(f"{network}:9::{last}" for last in range(1, 4)))) == 1


async def test_refused_sign_ins_of_many_networks_are_bounded_in_the_journal(db, journal, monkeypatch):
    await within_one_window()
    monkeypatch.setattr(rate_limits, "MAX_REJECTIONS", 5)
    limits, method = RateLimits(db, journal), uuid7().hex
    for number in range(20):
        await limits.count_refused_sign_in(
            SignInRefused(method=method, subject="", reason=""), f"2001:db8:0:{number:x}::1"
        )
    entries = await journal.entries_of(NIL, [SignInRefused], limit=50)
    assert len([entry for entry in entries if entry.event.method == method]) == 5


async def test_exceeded_limit_of_a_requester_is_journalled_amid_a_flood(db, journal, house, monkeypatch):
    await within_one_window()
    monkeypatch.setattr(rate_limits, "MAX_REJECTIONS", 1)
    limits, doctor = RateLimits(db, journal), replace(house.doctor, id=uuid7(), origin="192.0.2.77")
    await limits.record_rejection("token", ANONYMOUS, "192.0.2.76")
    for _ in range(2):
        with suppress(Problem):
            await limits.count_attempts(
                {f"test:{doctor.id}": 1}, terms().attempt_window, actor=doctor.actor, origin=doctor.origin
            )
    [entry] = await rejections(journal, doctor.origin)
    assert (entry.event.reason, entry.actor.id) == ("limit", doctor.id)
