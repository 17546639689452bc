"""Bearer tokens, sessions, and the workplaces of practitioners."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from esante.core.storage import NIL
from esante.identity.access import (
    TokenIssued,
)
from tests.identity.access.conftest import BASE
from tests.support.authentication_app import authentication_app


@pytest.fixture
async def http(house, journal):
    transport = httpx.ASGITransport(authentication_app(house, journal))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as found:
        yield found


async def test_token_is_stored_as_hash_and_expires(http, house, db, journal):
    token = await house.access.issue_token(house.doctor, frozenset({"user/*.cruds"}), timedelta(seconds=1))
    kept = await db.fetchval("SELECT string_agg(t::text, '') FROM access_token t")
    entry = (await journal.entries_of(NIL, [TokenIssued], limit=1))[0]
    assert token not in kept and token not in str(entry)
    assert (await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {token}"})).status_code == 200
    await asyncio.sleep(1.1)
    assert (await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {token}"})).status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer x", "Bearer", "", "Basic YTpi", f"Bearer {'A' * 43}", "Bearer " + "A" * 100_000, "bearer é"]
)
async def test_malformed_authorization_is_unauthorized(http, header):
    answer = await http.get("/fhir/whoami", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_token_in_query_is_ignored(http, house):
    token = await house.access.issue_token(house.doctor, frozenset({"user/*.cruds"}), timedelta(minutes=1))
    assert (await http.get(f"/fhir/whoami?access_token={token}")).status_code == 401


async def test_missing_scope_is_named_in_challenge(http, house):
    token = await house.access.issue_token(house.doctor, frozenset({"user/DocumentReference.r"}), timedelta(minutes=1))
    answer = await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert "user/DocumentReference.rs" in answer.headers["www-authenticate"]


async def test_session_starts_and_ends_with_protected_cookie(http):
    cookie = (await http.post("/become")).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" in cookie
    assert (await http.get("/page")).status_code == 200
    assert (await http.get("/fhir/whoami")).json()["kind"] == "practitioner"
    await http.post("/leave")
    assert (await http.get("/fhir/whoami")).status_code == 401


async def test_change_by_session_without_csrf_token_is_refused(http):
    await http.post("/become")
    assert (await http.post("/fhir/whoami")).status_code == 403
    assert (await http.post("/fhir/whoami", headers={"x-csrf-token": "wrong"})).status_code == 403


async def test_invalid_token_is_refused_despite_session(http):
    await http.post("/become")
    assert (await http.get("/fhir/whoami", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_organization_is_dropped_without_current_role(http, house, fresh):
    stranger = fresh(house.doctor)
    token = await house.access.issue_token(stranger, frozenset({"user/*.rs"}), timedelta(minutes=1))
    answer = await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["organization"] == "None"
    token = await house.access.issue_token(house.doctor, frozenset({"user/*.rs"}), timedelta(minutes=1))
    answer = await http.get("/fhir/whoami", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["organization"] == str(house.hospital.id)
