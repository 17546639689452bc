"""Authorization codes and refresh tokens: each is used once, by its own client, and a second use ends the connection."""

import asyncio
from dataclasses import replace

import pytest
from joserfc.jwk import ECKey
from starlette.requests import Request

from esante.core.storage import uuid7
from esante.identity.access import AppEnded
from tests.support.smart_apps import CALLBACK, SmartApp, main_text


async def test_reused_code_ends_the_connection_and_is_logged(house, signed_in, app, journal):
    anna = await house.open_patient()
    user = await signed_in(anna)
    app.scope += " offline_access"
    code = await user.authorize(app)
    body = (await app.exchange(code)).json()
    assert (await app.call_api(body["access_token"])).status_code == 200
    again = await app.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await app.call_api(body["access_token"])).status_code == 401
    assert (await app.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    [entry] = await journal.entries_of(anna.id, [AppEnded])
    assert entry.event.cause == "reused"
    assert "one of its keys was used twice" in main_text(await user.http.get("/log"))


async def test_concurrent_exchanges_issue_one_token_and_then_revoke_it(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    code = await user.authorize(app)
    responses = await asyncio.gather(*(app.exchange(code) for _ in range(5)))
    assert sorted(response.status_code for response in responses) == [200, 400, 400, 400, 400]
    token = next(response.json()["access_token"] for response in responses if response.status_code == 200)
    assert (await app.call_api(token)).status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "A" * 43},
        {"code_verifier": ""},
        {"code_verifier": None},
        {"code_verifier": "é" * 43},
        {"redirect_uri": "https://app.example/other"},
        {"redirect_uri": None},
    ],
)
async def test_wrong_verifier_or_redirect_uri_uses_up_the_code(house, signed_in, app, changes):
    user = await signed_in(await house.open_patient())
    code = await user.authorize(app)
    assert (await app.exchange(code, **changes)).json()["error"] == "invalid_grant"
    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_code_of_another_client_is_rejected(house, signed_in, app, clinic):
    user = await signed_in(await house.open_patient())
    code = await user.authorize(app)
    for stranger in (
        SmartApp(app.http, "local", CALLBACK, verifier=app.verifier),
        replace(clinic, verifier=app.verifier),
    ):
        assert (await stranger.exchange(code, redirect_uri=CALLBACK)).json()["error"] == "invalid_grant"
    assert (await app.exchange(code)).status_code == 200


async def test_expired_or_unknown_code_is_rejected(house, signed_in, app, db):
    user = await signed_in(await house.open_patient())
    code = await user.authorize(app)
    await db.fetch("UPDATE app_connection SET code_until = now() WHERE code_used_at IS NULL")
    for wrong in (code, "x", "A" * 43, "", None):
        response = await app.exchange(wrong)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
        assert response.headers["cache-control"] == "no-store"


async def test_code_is_rejected_after_revocation(house, signed_in, app):
    anna = await house.open_patient()
    user = await signed_in(anna)
    code = await user.authorize(app)
    [authorized] = await house.access.apps.list_authorized(anna)
    await house.access.apps.revoke(anna, authorized.authorization.authorization_id)
    assert (await app.exchange(code)).json()["error"] == "invalid_grant"


async def test_confidential_client_must_authenticate(house, signed_in, clinic, key):
    user = await signed_in(await house.open_patient())
    code = await user.authorize(clinic)
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": clinic.redirect_uri,
              "code_verifier": clinic.verifier}  # fmt: skip
    refused = await clinic.http.post("/oauth/token", data=fields | {"client_id": "clinic"})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    forged = replace(clinic, key=ECKey.generate_key("P-384", {"kid": "ec-1"}))
    assert (await forged.exchange(code)).status_code == 401
    assert (await clinic.exchange(code, client_id="sample")).status_code == 401
    assert (await clinic.exchange(code, client_id="clinic")).status_code == 200
    mixed = await clinic.http.post("/oauth/token", data=fields | {"client_id": "sample"})
    assert mixed.json()["error"] == "invalid_grant"


async def test_secrets_are_stored_as_digests_only(house, signed_in, app, db, journal):
    anna = await house.open_patient()
    user = await signed_in(anna)
    app.scope += " offline_access"
    code = await user.authorize(app)
    body = (await app.exchange(code)).json()
    tables = ("access_token", "app_connection", "app_refresh", "app_authorization", "journal_entry")
    stored = "".join([str(await db.fetchval(f"SELECT string_agg(t::text, '') FROM {table} t")) for table in tables])
    for secret in (code, body["access_token"], body["refresh_token"], app.verifier):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def test_refresh_token_rotates_and_reuse_ends_the_connection(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    app.scope += " offline_access"
    first = (await app.exchange(await user.authorize(app))).json()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (second["scope"], second["patient"]) == (first["scope"], first["patient"])
    assert (await app.call_api(second["access_token"])).status_code == 200
    third = (await app.refresh(second["refresh_token"])).json()
    assert (await app.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    for token in (first, second, third):
        assert (await app.call_api(token["access_token"])).status_code == 401
    assert (await app.refresh(third["refresh_token"])).json()["error"] == "invalid_grant"


async def test_refresh_grants_the_same_scopes_or_fewer(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    app.scope = "launch/patient patient/*.rs offline_access"
    first = (await app.exchange(await user.authorize(app))).json()
    wrong = await app.refresh(first["refresh_token"], scope="patient/Patient.cruds user/*.rs")
    assert wrong.json()["scope"] == "patient/Patient.rs"
    less = wrong.json()
    assert (await app.call_api(less["access_token"])).status_code == 403
    refused = await app.refresh(less["refresh_token"], scope="user/*.rs")
    assert refused.json()["error"] == "invalid_scope"
    again = (await app.refresh(less["refresh_token"])).json()
    assert again["scope"] == first["scope"]


async def test_refresh_token_of_another_client_is_rejected(house, signed_in, app, clinic):
    user = await signed_in(await house.open_patient())
    app.scope += " offline_access"
    body = (await app.exchange(await user.authorize(app))).json()
    for stranger in (SmartApp(app.http, "local", CALLBACK), clinic):
        assert (await stranger.refresh(body["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.refresh(body["refresh_token"])).status_code == 200


async def test_online_access_ends_with_the_session_and_offline_access_does_not(house, signed_in, app):
    for scope, status in (("online_access", 400), ("offline_access", 200), ("online_access offline_access", 200)):
        user = await signed_in(await house.open_patient())
        app.scope = f"launch/patient patient/*.rs {scope}"
        body = (await app.exchange(await user.authorize(app))).json()
        body = (await app.refresh(body["refresh_token"])).json()
        await user.http.post("/leave")
        assert (await app.refresh(body["refresh_token"])).status_code == status


async def test_no_refresh_token_without_online_or_offline_access(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    assert "refresh_token" not in (await app.exchange(await user.authorize(app))).json()


async def test_only_a_stored_session_lives(house, platform, db):
    sessions = house.access.sessions
    cookie = await sessions.create({"kind": "patient", "id": str(uuid7()), "name": "x"})
    scope = {"type": "http", "method": "GET", "headers": [(b"cookie", f"esante_session={cookie}".encode())]}
    session = await sessions.of(Request(scope))
    async with db.transaction() as conn:
        assert await sessions.is_live(conn, session.key)
        assert not await sessions.is_live(conn, b"x")
