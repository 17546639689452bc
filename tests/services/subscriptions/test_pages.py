"""The operators' page of subscriptions, and the patient's page of the subscriptions of apps."""

import httpx
import pytest
from lxml import html

from esante.core.storage import uuid7
from esante.core.web import LANGUAGES
from esante.identity.access import requester_of
from esante.services.subscriptions import SubscriptionEnded
from tests.support.portal_browser import PortalBrowser, page_text
from tests.support.rest_hook_receiver import receiving
from tests.support.subscriptions import BASE

ADMIN, OWN = "/operator/subscriptions", "/sharing/subscriptions"

HOSTILE = "<script>alert(1)</script>'\"{{7*7}}"


@pytest.fixture
async def browse(pages, platform):
    """`await browse(name)` is a browser in which one of `people` is signed in."""
    clients = []

    async def signed_in(name: str, language: str = "en") -> PortalBrowser:
        transport = httpx.ASGITransport(pages, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": language})
        clients.append(http)
        await http.post(f"/become/{name}")
        return PortalBrowser(http)

    yield signed_in
    for http in clients:
        await http.aclose()


@pytest.fixture
async def dead(platform):
    """A delivery that failed for good, of a clinic with a hostile name, and its receiver."""
    clinic = await platform.world.organization("hospital", f"Clinique {HOSTILE}")
    software = platform.people["clinic"] = await platform.register_software(f"dead-{uuid7().hex[-8:]}", clinic.id)
    person = await platform.world.person("Secretperson")
    async with receiving() as receiver:
        created = await platform.subscribe(software, receiver.url)
        await platform.deliver()
        receiver.mode = "500"
        document = await platform.deposit(person, by="clinic")
        await platform.deliver()
        yield receiver, created, software, person, document


async def test_pages_require_their_role(pages, browse):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url=BASE) as http:
        for method, url in (("GET", ADMIN), ("POST", f"{ADMIN}/retry"), ("GET", OWN), ("POST", f"{OWN}/end")):
            answer = await http.request(method, url)
            assert (answer.status_code, answer.headers.get("location")) == (303, "/signin"), url
    doctor, operator = await browse("doctor"), await browse("operator")
    for url in (ADMIN, OWN):
        await doctor.get(url, 404)
    await operator.get(OWN, 404)


async def test_operator_sees_failed_delivery_and_retries(platform, browse, dead):
    receiver, created, software, person, document = dead
    operator = await browse("operator")
    page = await operator.get(ADMIN)
    shown = page_text(page)
    assert "Clinique <script>" in shown
    assert "The endpoint replied with an error. 500" in shown
    assert "1 event not delivered" in shown
    source = html.tostring(page).decode()
    for secret in ("s3cr3t", str(person.id), person.id.hex, document.key, "Secretperson", "{49}"):
        assert secret not in source
    receiver.mode = "ok"
    await operator.submit(page, f"{ADMIN}/retry")
    await platform.deliver()
    assert receiver.event_numbers[-1] == 1
    assert "Clinique" not in page_text(await operator.get(ADMIN))
    await operator.submit(page, f"{ADMIN}/retry", 404)  # the same button in another window
    assert (await platform.read(software, created))["status"] == "active"


async def test_operator_gives_up_a_delivery(platform, browse, dead):
    receiver, created, software, *_ = dead
    operator = await browse("operator")
    page = await operator.get(f"{ADMIN}?q=clinique")
    receiver.mode = "ok"
    await operator.submit(page, f"{ADMIN}/give-up")
    await platform.deliver()
    assert len(receiver.events) == 3
    assert "Clinique" not in page_text(await operator.get(ADMIN))
    assert (await platform.read(software, created))["status"] == "error"


async def test_form_without_csrf_token_or_with_invalid_id_changes_nothing(platform, browse, dead):
    operator = await browse("operator")
    page = await operator.get(ADMIN)
    for fields, status in (({"_csrf": "wrong"}, 403), ({"letter": "nonsense"}, 404), ({"letter": str(uuid7())}, 404)):
        await operator.submit(page, f"{ADMIN}/retry", status, **fields)
    answer = await operator.http.post(f"{ADMIN}/delete", data={"_csrf": page.forms[-1].fields["_csrf"]})
    assert answer.status_code == 404
    assert "Clinique" in page_text(await operator.get(ADMIN))


async def test_lists_are_searched_and_paged(platform, browse, dead):
    operator = await browse("operator")
    everything = f"{ADMIN}?view=all"
    assert "Clinique" in page_text(await operator.get(f"{everything}&q=CLINIQUE+127.0.0.1"))
    assert "Nothing found" in page_text(await operator.get(f"{everything}&q=xyzzy"))
    assert "Nothing found" in page_text(await operator.get(f"{ADMIN}?q=xyzzy"))
    for _ in range(25):
        await platform.subscribe(platform.people["laboratory"], "http://127.0.0.1:9/".replace(":9/", ":9999/"))
    first = await operator.get(f"{everything}&q=labo")
    assert len(first.xpath("//li[contains(@class, 'entry')]")) == 20
    [following] = first.xpath("//a[@rel='next']/@href")
    second = await operator.get(following)
    assert len(second.xpath("//li[contains(@class, 'entry')]")) >= 5
    await operator.get(f"{ADMIN}?cursor=nonsense", 400)
    for created in await platform.subscriptions.list_own(platform.people["laboratory"]):
        await platform.subscriptions.remove(platform.people["laboratory"], created.id)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_page_renders_in_every_language(browse, dead, language):
    operator = await browse("operator", language)
    for url in (ADMIN, f"{ADMIN}?view=all"):
        page = await operator.get(url)
        assert page.get("lang") == language
        assert len(page.xpath("//p[contains(@class, 'figure')]")) == 6


async def test_patient_ends_the_subscription_of_an_app(platform, browse, receiver):
    person = await platform.world.person()
    patient = platform.people["patient"] = requester_of(person)
    created = await platform.subscribe(patient, receiver.url, f"patient={person.id}")
    other = await platform.world.person()
    another = await platform.subscribe(requester_of(other), receiver.url, f"patient={other.id}")
    browser = await browse("patient")
    page = await browser.get(OWN)
    assert "Documents" in page_text(page)
    assert "s3cr3t" not in html.tostring(page).decode()
    await browser.submit(page, f"{OWN}/end", 404, subscription=another["id"])
    await browser.submit(page, f"{OWN}/end", subscription=created["id"])
    assert "None of your apps has asked" in page_text(await browser.get(OWN))
    await platform.deposit(person)
    await platform.deliver()
    assert receiver.events == []
    [(entry, ended)] = await platform.world.events(person, SubscriptionEnded)
    assert (ended.cause, entry.actor.id) == ("removed", person.id)
