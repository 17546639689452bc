"""Forms are accepted from our own pages only; bodies within their limit."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from esante.core.web import HANDLERS, Sessions, network_of, read_form


async def send_form(headers):
    """The status of a form that is sent without a session."""

    async def accept(request):
        return PlainTextResponse(str((await read_form(request))["persona"]))

    app = Starlette(routes=[Route("/signin", accept, methods=["POST"])], exception_handlers=HANDLERS)
    app.state.sessions = Sessions(None)  # without a cookie nothing is looked up
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://esante.example:8443") as client:
        return (await client.post("/signin", data={"persona": "anna"}, headers=headers)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Origin": "https://esante.example:8443"},
        {"Origin": "http://esante.example:8443"},
    ],
)
async def test_form_without_session_is_accepted_from_our_own_pages(headers):
    assert await send_form(headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://esante.example:8443"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://esante.example"},
        {"Origin": "https://esante.example:8443.evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://["},
    ],
)
async def test_form_without_session_is_refused_from_other_sites(headers):
    assert await send_form(headers) == 403


async def test_form_of_too_many_bytes_is_refused_before_the_session_is_looked_up():
    async def accept(request):
        await read_form(request)
        return PlainTextResponse("")

    app = Starlette(routes=[Route("/form", accept, methods=["POST"])], exception_handlers=HANDLERS)  # has no sessions
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://esante.test") as client:
        assert (await client.post("/form", data={"note": "a" * 2_000_000})).status_code == 413


@pytest.mark.parametrize(
    ("origin", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_addresses_of_one_subscriber_are_one_network(origin, network):
    assert network_of(origin) == network
