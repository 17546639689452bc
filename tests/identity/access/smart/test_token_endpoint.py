"""Introspection, revocation, and client credentials."""

from dataclasses import replace
from datetime import timedelta

import pytest

from esante.identity.access.smart.scopes import INTROSPECTION_SCOPE
from tests.identity.access.conftest import BASE
from tests.support.smart_apps import (
    APP_CLIENT,
    CALLBACK,
    FHIR,
    SYSTEM_CLIENT,
    SYSTEM_CLIENT_KEY,
    AppUser,
    SmartApp,
    access_app,
    public_jwks,
)


@pytest.fixture(scope="module")
async def platform(house, journal):
    """The application, with a public client, a confidential one and the software of the hospital."""
    public = replace(APP_CLIENT, client_id="sample", launch_url="")
    await house.access.clients.register(public)
    await house.access.clients.register(replace(public, client_id="other", jwks=public_jwks(SYSTEM_CLIENT_KEY)))
    await house.access.clients.register(replace(SYSTEM_CLIENT, organization_id=house.hospital.id))
    return access_app(house, journal)


@pytest.fixture
async def tokens(house, platform, http):
    """The tokens that a patient let an app have."""
    anna = await house.open_patient()
    platform.state.sign_in_as["requester"] = anna
    await http.post("/become")
    app = SmartApp(http, "sample", CALLBACK, scope="launch/patient patient/*.rs openid fhirUser offline_access")
    found = (await app.exchange(await AppUser(http).authorize(app))).json()
    assert found["patient"] == str(anna.id)
    return found


async def software_token(http, scope):
    software = SmartApp(http, "his", "", SYSTEM_CLIENT_KEY)
    return (await software.request_token(grant_type="client_credentials", scope=scope)).json()["access_token"]


async def introspect(http, caller, token):
    headers = {"Authorization": f"Bearer {caller}"} if caller else {}
    return await http.post("/oauth/introspect", data={"token": token}, headers=headers)


async def test_introspection_describes_the_token(http, tokens):
    caller = await software_token(http, INTROSPECTION_SCOPE)
    response = await introspect(http, caller, tokens["access_token"])
    assert response.headers["cache-control"] == "no-store"
    description = response.json()
    assert description.pop("exp") > 0
    assert description == {
        "active": True,
        "client_id": "sample",
        "scope": tokens["scope"],
        "token_type": "Bearer",
        "patient": tokens["patient"],
        "iss": BASE,
        "sub": tokens["patient"],
        "fhirUser": f"{FHIR}/Patient/{tokens['patient']}",
    }
    own = (await introspect(http, caller, caller)).json()
    assert (own["client_id"], own["scope"]) == ("his", INTROSPECTION_SCOPE)
    assert "patient" not in own


async def test_introspection_without_the_scope_covers_own_tokens_only(http, tokens):
    own = (await introspect(http, tokens["access_token"], tokens["access_token"])).json()
    assert own["active"]
    caller = await software_token(http, "system/Patient.rs")
    for token in (tokens["access_token"], tokens["refresh_token"], "x", "A" * 43, ""):
        response = await introspect(http, caller, token)
        assert (response.status_code, response.json()) == (200, {"active": False})


@pytest.mark.parametrize("caller", [None, "x", "A" * 43])
async def test_introspection_needs_a_valid_bearer_token(http, tokens, caller):
    response = await introspect(http, caller, tokens["access_token"])
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_introspection_needs_the_token_of_a_client(house, http, tokens):
    token = await house.access.issue_token(house.doctor, frozenset({"user/*.rs"}), timedelta(minutes=1))
    assert (await introspect(http, token, token)).status_code == 401


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_revocation_ends_the_connection_of_the_client_s_own_token_only(house, http, tokens, kind):
    app = SmartApp(http, "sample", CALLBACK)
    assert (await app.call_api(tokens["access_token"])).status_code == 200
    for stranger in (
        SmartApp(http, "other", CALLBACK, SYSTEM_CLIENT_KEY),
        SmartApp(http, "his", "", SYSTEM_CLIENT_KEY),
    ):
        assert (await stranger.post("/oauth/revoke", token=tokens[kind])).status_code == 200
    assert (await app.call_api(tokens["access_token"])).status_code == 200
    for _ in range(2):
        assert (await app.post("/oauth/revoke", token=tokens[kind])).status_code == 200
    assert (await app.call_api(tokens["access_token"])).status_code == 401
    assert (await app.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    caller = await software_token(http, INTROSPECTION_SCOPE)
    assert (await introspect(http, caller, tokens["access_token"])).json() == {"active": False}


async def test_client_credentials_token_is_revoked(http):
    token = await software_token(http, "system/Patient.rs")
    software = SmartApp(http, "his", "", SYSTEM_CLIENT_KEY)
    assert (await software.call_api(token, "Patient")).status_code == 200
    assert (await software.post("/oauth/revoke", token=token)).status_code == 200
    assert (await software.call_api(token, "Patient")).status_code == 401


async def test_revocation_needs_a_client_and_a_token(http, tokens):
    refused = await http.post("/oauth/revoke", data={"token": tokens["access_token"]})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    unsigned = await http.post("/oauth/revoke", data={"token": tokens["access_token"], "client_id": "other"})
    assert unsigned.status_code == 401
    missing = await SmartApp(http, "sample", CALLBACK).post("/oauth/revoke")
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


async def test_client_without_organization_gets_no_client_credentials_token(http):
    other = SmartApp(http, "other", CALLBACK, SYSTEM_CLIENT_KEY)
    response = await other.request_token(grant_type="client_credentials", scope="patient/*.rs")
    assert response.json()["error"] == "unauthorized_client"
