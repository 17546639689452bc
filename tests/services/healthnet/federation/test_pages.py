"""The operators' pages of federations: list, proposal, decision by another person, document, end."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.access import Access
from esante.services.healthnet.federation import service
from esante.services.healthnet.federation.pages import PLACE, FederationPages
from tests.support.federations import terms
from tests.support.portal_browser import PortalBrowser, page_text

BASE = "https://esante.example"
HOSTILE = "<script>alert(1)</script>{{7*7}}"


@pytest.fixture
async def browse(found):
    """`await browse(requester)` returns a browser in which they are signed in."""
    world = found.world
    access, people, clients = Access(found.db, world.journal, world.directory, base_url=BASE), {}, []

    async def become(request):
        return await access.sign_in(request, people["requester"], method="demo")

    routes = [Route("/become", become, methods=["POST"]), *FederationPages(found.federations, access).routes()]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
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


async def test_two_operators_agree_export_and_end(found, browse):
    ann, ben = await browse(found.world.ann), await browse(found.world.ben)
    page = await ann.get(PLACE)
    assert "There are no federations" in page_text(page)
    done = await ann.submit(page, f"{PLACE}/proposals", document=found.luxith.document(), peer_key=found.luxith.key)
    one = done.headers["location"].partition("?")[0]
    assert "Somebody else has to decide what you proposed." in page_text(await ann.get(one))
    page = await ben.get(one)
    assert "Your decision" in page_text(page)
    await ben.submit(page, f"{one}/decision")
    page = await ben.get(one)
    assert "In force" in page_text(page) and "fd77:1::/48" in page_text(page)
    document = await ben.http.get(f"{one}/document.txt")
    assert document.text.startswith("esante-healthnet-agreement/1\n") and "attachment" in str(document.headers)
    await ben.submit(page, f"{one}/end", 400, reason="short")
    await ben.submit(page, f"{one}/end", reason="The hospitals have left.")
    assert "The hospitals have left." in page_text(await ben.get(one))


async def test_wrong_form_stays_with_what_was_written_and_the_reason(found, browse):
    ann = await browse(found.world.ann)
    page = await ann.get(PLACE)
    done = await ann.submit(page, f"{PLACE}/proposals", 400, document=HOSTILE, peer_key=found.luxith.key)
    assert "This agreement is not accepted." in done.text and "&lt;script&gt;" in done.text
    assert "<script>alert" not in done.text
    await ann.submit(page, f"{PLACE}/proposals", 400, document=found.luxith.document(), peer_key=HOSTILE)


async def test_list_is_searched_and_paged(found, browse, monkeypatch):
    monkeypatch.setattr(service, "PAGE_SIZE", 2)
    for number in range(1, 6):
        await found.agreed(found.luxith.document(number))
    ann = await browse(found.world.ann)
    links, url = [], PLACE
    while url:
        page = await ann.get(url)
        links += page.xpath("//li[contains(@class, 'entry')]//a/@href")
        url = (page.xpath("//a[@rel='next']/@href") or [None])[0]
    assert len({*links}) == 5
    assert "Nothing found" in page_text(await ann.get(f"{PLACE}?q=zz"))
    assert "luxith" in page_text(await ann.get(f"{PLACE}?q=10.120"))


async def test_others_and_unknown_agreements_are_refused(found, browse):
    agreed = await found.agreed(found.luxith.document(agreed=terms()))
    ann, (doctor, _) = await browse(found.world.ann), await found.world.doctor()
    await ann.get(f"{PLACE}/{uuid7()}", 404)
    other = await browse(doctor)
    for path in ("", f"/{agreed.agreement_id}", f"/{agreed.agreement_id}/document.txt"):
        answer = await other.http.get(PLACE + path)
        assert answer.status_code in (303, 403, 404) and "fd77" not in answer.text
