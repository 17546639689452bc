"""The helpdesk over this module's database, people, and browsers that are signed in or not."""

from datetime import date

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Person
from esante.services.helpdesk import Helpdesk
from esante.services.helpdesk.pages import routes
from tests.support.portal_browser import PortalBrowser

BASE = "https://esante.example"


@pytest.fixture(scope="module")
def directory(db, journal):
    return Directory(db, journal)


@pytest.fixture(scope="module")
def access(db, journal, directory):
    return Access(db, journal, directory, base_url=BASE)


@pytest.fixture(scope="module")
def helpdesk(db, journal, access):
    return Helpdesk(db, journal, access)


@pytest.fixture
async def patient(directory):
    """A person who uses the portal."""
    person = Person(
        id=uuid7(),
        identifiers=(Identifier("urn:test", uuid7().hex),),
        family="Muster",
        given=("Anna",),
        birth_date=date(1970, 5, 17),
        sex="female",
    )
    await directory.register_person(person)
    return requester_of(person)


@pytest.fixture(scope="module")
def operator():
    return Requester(kind="operator", id=uuid7(), name="Olga Operator")


@pytest.fixture(scope="module")
def app(helpdesk, access):
    """The pages of reports; a POST to /become signs in."""
    people = {}

    async def become(request):
        return await access.sign_in(request, people["requester"], method="demo")

    application = Starlette(
        routes=[Route("/become", become, methods=["POST"]), *routes(helpdesk, access)], exception_handlers=HANDLERS
    )
    application.state.sessions, application.state.people = access.sessions, people
    return application


@pytest.fixture
async def browse(app):
    """`await browse(requester)` returns a browser in which the requester (None: nobody) is signed in."""
    clients = []

    async def visit(requester=None, origin="192.0.2.1"):
        transport = httpx.ASGITransport(app, client=(origin, 1))
        http = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": "en"})
        clients.append(http)
        if requester is not None:
            app.state.people["requester"] = requester
            await http.post("/become")
        return PortalBrowser(http)

    yield visit
    for http in clients:
        await http.aclose()
