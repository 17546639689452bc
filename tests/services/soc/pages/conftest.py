"""The pages of the SOC, and browsers that are signed in or not."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.web import HANDLERS
from esante.services.soc.pages.case_pages import CasePages
from esante.services.soc.pages.duty_pages import DutyPages
from esante.services.soc.pages.practice_pages import PracticePages
from esante.services.soc.pages.queue_pages import QueuePages
from tests.support.portal_browser import PortalBrowser
from tests.support.soc_cases import BASE, CaseWorld


@pytest.fixture
async def world(db, journal, objects):
    """Operators, members, cases and duties."""
    return CaseWorld(db, journal, objects)


@pytest.fixture
def app(world):
    """The pages; a POST to /become signs in."""
    access, people = world.access, {}

    async def become(request):
        return await access.sign_in(request, people["requester"], method="demo")

    acts = world.evidence, world.closing, world.containment, world.handovers
    application = Starlette(
        routes=[
            Route("/become", become, methods=["POST"]),
            *QueuePages(world.triage, world.alerts, access).routes(),
            *CasePages(world.cases, *acts, access).routes(),
            *DutyPages(world.duties, world.tenants, access).routes(),
            *PracticePages(world.cases, world.duties, access).routes(),
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
