"""The record's small country, and a browser in it."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.web import HANDLERS, SecurityHeaders
from esante.identity.access import page_routes as access_pages
from esante.services.record import CATEGORIES, page_routes
from tests.services.record.conftest import BASE, world

__all__ = ["world"]


@pytest.fixture(scope="module")
def pages(world):
    """The pages of the record and of access, with a way to sign in as anybody."""
    asking = {}

    async def become(request):
        return await world.access.sign_in(request, asking["requester"], method="demo")

    labels = {key: category.label for key, category in CATEGORIES.items()}
    routes = [
        Route("/become", become, methods=["POST"]),
        *page_routes(world.record, world.access, world.directory),
        *access_pages(world.access, world.journal, world.directory, labels),
    ]
    found = Starlette(routes=routes, exception_handlers=HANDLERS)
    found.add_middleware(SecurityHeaders)
    found.state.sessions, found.state.asking = world.access.sessions, asking
    return found


@pytest.fixture
async def browse(pages):
    """Signs in as a requester; gives an HTTP client with the session's cookie, in English."""
    clients = []

    async def signed_in(requester):
        client = httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url=BASE)
        clients.append(client)
        pages.state.asking["requester"] = requester
        assert (await client.post("/become")).status_code == 303
        client.cookies.set("esante_lang", "en")
        client.headers["x-csrf-token"] = await _token(pages, client)
        return client

    yield signed_in
    for client in clients:
        await client.aclose()


async def _token(pages, client) -> str:
    """The form token of a client's session, as any page would show it."""
    from starlette.requests import Request

    cookie = client.cookies["esante_session"]
    scope = {"type": "http", "headers": [(b"cookie", f"esante_session={cookie}".encode())], "app": pages}
    session = await pages.state.sessions.of(Request(scope))
    return session.csrf
