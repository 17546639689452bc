"""The pages of the console, and browsers that are signed in."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.web import HANDLERS
from esante.services.soc.console.event_search import EventSearch
from esante.services.soc.console.flow import EventFlow
from esante.services.soc.console.members import MemberLists
from esante.services.soc.console.overview import Overview
from esante.services.soc.console.pages.event_pages import EventPages
from esante.services.soc.console.pages.member_pages import MemberPages
from esante.services.soc.console.pages.overview_pages import OverviewPages
from esante.services.soc.console.pages.source_pages import SourcePages
from esante.services.soc.console.timeline import Timeline
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from tests.support.portal_browser import PortalBrowser
from tests.support.soc_cases import BASE, CaseWorld


@pytest.fixture
async def world(db, journal, objects):
    """Operators, members, and the use cases of cases and duties."""
    return CaseWorld(db, journal, objects)


@pytest.fixture
def sources(world):
    """The sources of all members."""
    return Sources(world.db, world.journal, world.tenants)


@pytest.fixture
def flow(world):
    """What comes in."""
    return EventFlow(world.db, world.tenants)


@pytest.fixture
def app(world, sources, flow):
    """The pages; a POST to /become signs in."""
    access, people = world.access, {}

    async def become(request):
        return await access.sign_in(request, people["requester"], method="demo")

    search = EventSearch(world.db, world.journal, world.tenants, EventStore(world.db))
    lists = MemberLists(world.db, world.tenants, world.directory)
    overview = Overview(world.db, world.tenants)
    application = Starlette(
        routes=[
            Route("/become", become, methods=["POST"]),
            *MemberPages(lists, world.tenants, sources, access).routes(),
            *SourcePages(sources, search, access, "soc.example").routes(),
            *EventPages(search, lists, access).routes(),
            *OverviewPages(overview, flow, Timeline(world.db, world.tenants), world.duties, access).routes(),
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
