"""Sessions: stored by a hash, found by their cookie, ended at once in the database."""

from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from esante.core.web import COOKIE, Sessions, clear_cookie, redirect, set_cookie


def request_with(cookie):
    return Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())]})


async def enter(request):
    response = redirect("/")
    set_cookie(response, request, "token")
    return response


async def leave(request):
    response = redirect("/")
    clear_cookie(response, request)
    return response


@pytest.fixture
def app():
    app = Starlette(routes=[Route("/enter", enter), Route("/leave", leave)])
    app.state.secure = False
    return app


@pytest.fixture
async def client(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://esante.test") as client:
        yield client


async def test_created_session_is_found_and_its_cookie_is_stored_nowhere(db):
    sessions = Sessions(db)
    token = await sessions.create({"kind": "patient"})
    session = await sessions.of(request_with(token))
    assert session.principal == {"kind": "patient"}
    assert await sessions.of(request_with("other")) is None
    assert await sessions.of(Request({"type": "http", "headers": []})) is None
    rows = await db.fetch("SELECT web_session::text AS text FROM web_session")
    assert not any(token in row["text"] for row in rows)


async def test_deleted_session_is_found_no_more(db):
    sessions = Sessions(db)
    token = await sessions.create({"kind": "patient"})
    session = await sessions.of(request_with(token))
    async with db.transaction() as conn:
        assert await sessions.is_live(conn, session.key)
    await sessions.delete(request_with(token))
    assert await sessions.of(request_with(token)) is None
    async with db.transaction() as conn:
        assert not await sessions.is_live(conn, session.key)


async def test_expired_session_is_not_found(db):
    sessions = Sessions(db)
    token = await sessions.create({"kind": "patient"}, timedelta(seconds=-1))
    assert await sessions.of(request_with(token)) is None


async def test_cookie_is_secure_only_where_the_platform_has_an_https_address(app, client):
    assert "secure" not in (await client.get("/enter")).headers["set-cookie"].lower()
    app.state.secure = True
    assert "; secure" in (await client.get("/enter")).headers["set-cookie"].lower()


async def test_cookie_over_https_belongs_to_this_host_alone(app, client, db):
    app.state.secure = True
    for path in ("/enter", "/leave"):
        cookie = (await client.get(path)).headers["set-cookie"]
        assert cookie.startswith("__Host-esante_session=")
        assert "; path=/;" in cookie.lower()
        assert cookie.lower().endswith("; secure")
        assert "domain" not in cookie.lower()
    sessions = Sessions(db)
    token = await sessions.create({"kind": "patient"})
    for name, found in (("__Host-esante_session", True), (COOKIE, False)):
        scope = {"type": "http", "scheme": "https", "headers": [(b"cookie", f"{name}={token}".encode())]}
        assert (await sessions.of(Request(scope)) is not None) is found


async def test_cookie_is_not_readable_by_scripts_and_can_be_cleared(client):
    cookie = (await client.get("/enter")).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=token; HttpOnly")
    assert "SameSite=lax" in cookie
    assert "Max-Age=0" in (await client.get("/leave")).headers["set-cookie"]
