"""The page of receipts: of the owner's sites only, with search, states and pages; receipts as files."""

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.access import Access, Requester
from esante.services.healthnet.messages import service
from esante.services.healthnet.messages.pages import PLACE, MessagePages
from tests.support.portal_browser import PortalBrowser, page_text

BASE = "https://esante.example"


@pytest.fixture
async def browse(exchange):
    """`await browse(requester)` returns a browser in which they are signed in."""
    world = exchange.world
    access, people, clients = Access(exchange.db, exchange.journal, world.directory, base_url=BASE), {}, []

    async def become(request):
        return await access.sign_in(request, people["requester"], method="demo")

    pages = MessagePages(exchange.db, exchange.messages, access, world.directory)
    app = Starlette(routes=[Route("/become", become, methods=["POST"]), *pages.routes()], exception_handlers=HANDLERS)
    app.state.sessions = access.sessions

    async def visit(requester):
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers={"Accept-Language": "en"})
        clients.append(http)
        people["requester"] = requester
        await http.post("/become")
        return PortalBrowser(http)

    yield visit
    for http in clients:
        await http.aclose()


@pytest.fixture
async def doctor(exchange):
    """A doctor with an active site that can receive messages: the requester, and the site."""
    return await exchange.doctor_site()


async def test_owner_sees_messages_their_states_and_downloads_receipts(exchange, browse, doctor):
    requester, own = doctor
    browser = await browse(requester)
    assert "No messages yet" in page_text(await browser.get(PLACE))
    message_id, _, _ = await exchange.send(recipient=own)
    refused_id, _, _ = await exchange.send(recipient=own)
    foreign_id, _, _ = await exchange.send()
    await exchange.acknowledge(refused_id, "refused", "unknown-patient", site=own)
    page = await browser.get(PLACE)
    text = page_text(page)
    assert "The patient is not known there." in text and "Waits for the recipient" in text
    assert str(message_id) in text and str(foreign_id) not in text
    links = page.xpath("//a[@download]/@href")
    assert f"{PLACE}/{refused_id}/refused.json" in links and len(links) == 3
    for link in links:
        answer = await browser.http.get(link)
        assert json.loads(answer.text)["format"] == "esante-healthnet-receipt/1"
        assert answer.headers["cache-control"] == "no-store"
    await browser.get(f"{PLACE}/{foreign_id}/accepted.json", 404)
    await browser.get(f"{PLACE}/{uuid7()}/accepted.json", 404)
    await browser.get(f"{PLACE}/{message_id}/read.json", 404)
    await browser.get(f"{PLACE}/{message_id}/nonsense.json", 404)


async def test_list_is_searched_filtered_and_paged(exchange, browse, doctor, monkeypatch):
    monkeypatch.setattr(service, "PAGE_SIZE", 2)
    requester, own = doctor
    browser = await browse(requester)
    sent = [(await exchange.send(recipient=own))[0] for _ in range(5)]
    await exchange.acknowledge(sent[0], "read", site=own)
    found, url = [], PLACE
    while url:
        page = await browser.get(url)
        found += page.xpath("//details//code/text()")
        url = (page.xpath("//a[@rel='next']/@href") or [None])[0]
    assert found == [str(one) for one in reversed(sent)]
    page = await browser.get(f"{PLACE}?state=read")
    assert page.xpath("//details//code/text()") == [str(sent[0])]
    page = await browser.get(f"{PLACE}?q={sent[3]}")
    assert page.xpath("//details//code/text()") == [str(sent[3])]
    assert "Nothing found" in page_text(await browser.get(f"{PLACE}?q=%25"))
    assert "Nothing found" in page_text(await browser.get(f"{PLACE}?q=%3Cscript%3E"))
    await browser.get(f"{PLACE}?cursor=x", 400)


async def test_others_see_nothing_of_it(exchange, browse, doctor):
    _, own = doctor
    message_id, _, _ = await exchange.send(recipient=own)
    stranger = await exchange.world.doctor()
    nobody = Requester(kind="practitioner", id=uuid7(), name="Nobody", profession="doctor")
    for one in (stranger[0], nobody):
        browser = await browse(one)
        page = page_text(await browser.get(PLACE))
        assert str(message_id) not in page
        await browser.get(f"{PLACE}/{message_id}/accepted.json", 404)
    operator = await browse(exchange.world.ann)
    assert (await operator.http.get(PLACE)).status_code in (303, 403, 404)
