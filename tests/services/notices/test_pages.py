"""The pages of notices: a notice that was opened is read."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.journal import Actor, advance
from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.notices import Notices, NoticesRead
from esante.services.notices.pages import routes
from esante.services.notices.service import MOST_COUNTED
from esante.services.record import DepositedEvent
from tests.support.declared import NOTICE_KINDS
from tests.support.portal_browser import PortalBrowser

DOCTOR = Actor(kind="practitioner", id=uuid7(), name="Dr Example")


@pytest.fixture
def notices(db, journal):
    return Notices(db, journal, NOTICE_KINDS)


async def deposit(db, journal, notices, person_id, count=1):
    """Make so many notices of deposits; return the deposited documents."""
    documents = [uuid7() for _ in range(count)]
    for document in documents:
        event = DepositedEvent(categories=("letter",), documents=(document,))
        await journal.append(event, person_id=person_id, actor=DOCTOR)
    await journal.sealer.seal_all()
    while await advance(db, notices.consumer):
        pass
    return documents


@pytest.fixture
async def browser(db, journal, notices):
    """A browser in which a patient is signed in; `patient` is who."""
    access = Access(db, journal, Directory(db, journal), base_url="https://esante.example")
    patient = Requester(kind="patient", id=uuid7(), name="Jane Example")

    async def become(request):
        return await access.sign_in(request, patient, method="demo")

    app = Starlette(
        routes=[Route("/become", become, methods=["POST"]), *routes(notices, access, {"letter": "Letter"})],
        exception_handlers=HANDLERS,
    )
    app.state.sessions = access.sessions
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://esante.example") as http:
        await http.post("/become")
        found = PortalBrowser(http)
        found.patient = patient
        yield found


async def test_notice_opened_by_its_link_leads_to_the_document_and_is_read(db, journal, notices, browser):
    (document,) = await deposit(db, journal, notices, browser.patient.id)
    assert await notices.count_unread(browser.patient.id) == 1
    (link,) = (await browser.get("/notices")).xpath("//main//li//a/@href")
    for _ in range(2):
        opened = await browser.http.get(link)
        assert (opened.status_code, opened.headers["location"]) == (303, f"/record/{document}")
    assert await notices.count_unread(browser.patient.id) == 0
    assert [entry.event.count for entry in await journal.entries_of(browser.patient.id, [NoticesRead])] == [1]


async def test_notice_of_another_person_is_not_found_and_stays_unread(db, journal, notices, browser):
    other = uuid7()
    await deposit(db, journal, notices, other)
    (notice,) = (await notices.page(other)).items
    await browser.get(f"/notices/{notice.id}", 404)
    await browser.get(f"/notices/{uuid7()}", 404)
    assert await notices.count_unread(other) == 1


async def test_count_of_unread_notices_is_bounded(db, journal, notices):
    person = uuid7()
    await deposit(db, journal, notices, person, MOST_COUNTED + 5)
    assert await notices.count_unread(person) == MOST_COUNTED
