"""The pages of incentives, and browsers that are signed in or not."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.web import HANDLERS
from esante.identity.access import Access
from esante.services.incentives.pages.operator_pages import OperatorPages
from esante.services.incentives.pages.own_pages import OwnPages
from esante.services.incentives.pages.page_words import PageWords
from esante.services.incentives.pages.payment_pages import PaymentPages
from esante.services.incentives.pages.public_pages import public_routes
from tests.support.portal_browser import PortalBrowser

BASE = "https://esante.example"


@pytest.fixture
def app(world):
    """The pages; a POST to /become signs in."""
    access = Access(world.db, world.journal, world.directory, base_url=BASE)
    people = {}

    async def become(request):
        return await access.sign_in(request, people["requester"], method="demo")

    words = PageWords(world.schemes, world.directory)
    shared = world.claims, world.appeals
    application = Starlette(
        routes=[
            Route("/become", become, methods=["POST"]),
            *OwnPages(world.own, *shared, world.payments, access, world.directory, words).routes(),
            *OperatorPages(world.decisions, *shared, world.budgets, world.payments, access, words).routes(),
            *PaymentPages(world.payments, access, words).routes(),
            *public_routes(world.budgets, words),
        ],
        exception_handlers=HANDLERS,
    )
    application.state.sessions, application.state.people = access.sessions, people
    return application


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester (None: nobody) is signed in."""
    clients = []

    async def visit(requester=None):
        transport = httpx.ASGITransport(app)
        http = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": "en"})
        clients.append(http)
        if requester is not None:
            app.state.people["requester"] = requester
            await http.post("/become")
        return PortalBrowser(http)

    yield visit
    for http in clients:
        await http.aclose()
