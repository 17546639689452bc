"""A browser in which a person signs in to the pages of access, and SMART clients for the pages of apps."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.web import HANDLERS
from esante.identity.access import Requester, page_routes
from tests.identity.access.conftest import BASE
from tests.support.portal_browser import PortalBrowser
from tests.support.smart_apps import app, browser, clinic, key, platform, registered, signed_in

__all__ = ["app", "browser", "clinic", "key", "platform", "registered", "signed_in"]


@pytest.fixture(scope="module")
def pages_app(house, journal, directory):
    """The pages of access, where a POST to /become signs in."""
    sign_in_as = {}

    async def become(request):
        return await house.access.sign_in(request, sign_in_as["requester"], method="demo")

    routes = [
        Route("/become", become, methods=["POST"]),
        *page_routes(house.access, journal, directory, {"letter": "Letter"}),
    ]
    application = Starlette(routes=routes, exception_handlers=HANDLERS)
    application.state.sessions = house.access.sessions
    application.state.sign_in_as = sign_in_as
    return application


@pytest.fixture
async def browse(pages_app):
    """`await browse(requester)` returns a browser in which the requester is signed in."""
    clients = []

    async def sign_in(requester: Requester) -> PortalBrowser:
        transport = httpx.ASGITransport(pages_app)
        http = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": "en"})
        clients.append(http)
        pages_app.state.sign_in_as["requester"] = requester
        await http.post("/become")
        return PortalBrowser(http)

    yield sign_in
    for http in clients:
        await http.aclose()
