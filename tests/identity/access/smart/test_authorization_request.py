"""Faults of authorization requests: answered here, or returned to the client at its redirect URI."""

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.identity.access.smart.authorization_request import REQUEST_PARAMETERS
from tests.identity.access.conftest import BASE
from tests.support.smart_apps import CALLBACK, CONFIDENTIAL_CALLBACK, forwarded_url, main_text

UNREGISTERED_URIS = [
    CALLBACK + "/", CALLBACK + "?x=1", CALLBACK + "#x", "https://app.example/Callback", "https://app.example/",
    "http://app.example/callback", "https://app.example:444/callback", "https://app.example@evil.example/callback",
    "https://app.example.evil.example/callback", "https://evil.example/https://app.example/callback",
    "https://app.example/callback\r\nX: 1", "//app.example/callback", "/callback", "javascript:alert(1)",
    "data:text/html,x", "https://app.example/%63allback", CONFIDENTIAL_CALLBACK, "http://127.0.0.1:9090/cb", "", None,
]  # fmt: skip


@pytest.mark.parametrize("uri", UNREGISTERED_URIS)
async def test_unregistered_redirect_uri_is_answered_here_with_400(house, signed_in, app, uri):
    user = await signed_in(await house.open_patient())
    for response in (
        await user.open(app, redirect_uri=uri),
        await user.open(app, redirect_uri=uri, response_type="token"),
        await user.http.post("/oauth/authorize", data=app.request_parameters(redirect_uri=uri)),
    ):
        assert response.status_code == 400
        assert "location" not in response.headers and "onward" not in response.text
        assert "Nothing was sent to the app" in main_text(response)


@pytest.mark.parametrize("client_id", ["nobody", "", None, "sample\n", "clinic", "a" * 5_000, "' OR 1=1 --", "\x00"])
async def test_unknown_client_id_is_answered_here_with_400(house, signed_in, app, client_id):
    user = await signed_in(await house.open_patient())
    assert (await user.open(app, client_id=client_id)).status_code == 400


async def test_repeated_parameter_is_answered_here_with_400(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    query = urlencode([*app.request_parameters().items(), ("redirect_uri", "https://evil.example")])
    assert (await user.http.get(f"/oauth/authorize?{query}")).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"aud": None}, "invalid_request"),
        ({"aud": "https://other.example/fhir"}, "invalid_request"),
        ({"aud": BASE}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "x"}, "invalid_request"),
        ({"code_challenge": "A" * 44}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "nonsense"}, "invalid_scope"),
        ({"scope": "launch/patient offline_access"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"scope": "__introspect"}, "invalid_scope"),
        ({"scope": "x" * 9_000}, "invalid_request"),
        ({"nonce": "x" * 2_000}, "invalid_request"),
        ({"launch": "nonsense"}, "invalid_request"),
        ({"launch": "A" * 43}, "invalid_request"),
        ({"launch": "A" * 43, "scope": "launch patient/*.rs"}, "invalid_request"),
    ],
)
async def test_other_faults_are_returned_to_the_client(house, signed_in, app, changes, error):
    user = await signed_in(await house.open_patient())
    response = app.parse_response(forwarded_url(await user.open(app, **changes)))
    assert response["error"] == error
    assert response["error_description"].isascii() and "code" not in response


async def test_missing_state_returns_an_error_without_state(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    url = forwarded_url(await user.open(app, state=None))
    assert dict(parse_qsl(urlsplit(url).query))["error"] == "invalid_request"
    assert "state=" not in url


async def test_response_keeps_the_query_of_the_redirect_uri(house, signed_in, clinic):
    user = await signed_in(await house.open_patient())
    url = await user.decide(await user.open(clinic))
    assert url.startswith("https://clinic.example/back?tenant=1&code=")


async def test_any_request_is_answered_without_fault_or_foreign_redirect(house, signed_in, app):
    user = await signed_in(await house.open_patient())
    good = app.request_parameters()
    values = st.text(max_size=40) | st.sampled_from([*UNREGISTERED_URIS[:-1], *good.values()])
    changes = st.dictionaries(
        st.sampled_from([*REQUEST_PARAMETERS, "patient", "q", "cursor", "nothing"]), values, max_size=3
    )
    loop = asyncio.get_running_loop()

    @given(changes, st.booleans())
    def send_changed(changed, posted):
        send = user.http.post if posted else user.http.get
        wanted = {"data": good | changed} if posted else {"params": good | changed}
        response = asyncio.run_coroutine_threadsafe(send("/oauth/authorize", **wanted), loop).result()
        assert response.status_code in (200, 303, 400)
        where = response.headers.get("location", CALLBACK)
        assert where.startswith((f"{CALLBACK}?error=", "/oauth/authorize?")) or where == CALLBACK

    await asyncio.to_thread(send_changed)
