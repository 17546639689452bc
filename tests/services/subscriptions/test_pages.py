"""The operator's page of subscriptions, and the patient's page of apps that are told."""

import httpx
import pytest
from lxml import html

from esante.core.storage import uuid7
from esante.core.web import LANGUAGES
from esante.identity.access import requester_of
from esante.services.subscriptions import SubscriptionEnded
from tests.identity.access.test_pages import Browser, text
from tests.services.record.conftest import BASE

from .conftest import fast, subscriptions_of
from .receivers import receiving

DESK, MINE = "/operator/subscriptions", "/sharing/subscriptions"
HOSTILE = "<script>alert(1)</script>'\"{{7*7}}"


@pytest.fixture
async def browse(pages, country):
    """`await browse(name)` is a browser in which somebody of `people` signed in."""
    clients = []

    async def signed_in(name: str, language: str = "en") -> Browser:
        transport = httpx.ASGITransport(pages, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url=BASE, headers={"Accept-Language": language})
        clients.append(http)
        await http.post(f"/become/{name}")
        return Browser(http)

    yield signed_in
    for http in clients:
        await http.aclose()


@pytest.fixture
async def dead(country):
    """A delivery that failed for good, of a clinic with a hostile name, and its receiver."""
    clinic = await country.world.organization("hospital", f"Clinique {HOSTILE}")
    software = country.people["clinic"] = await country.software(f"dead-{uuid7().hex[-8:]}", clinic.id)
    person = await country.world.person("Secretperson")
    async with receiving() as receiver:
        made = await country.subscribe(software, receiver.url)
        await country.delivered()
        receiver.mode = "500"
        document = await country.deposit(person, by="clinic")
        await country.delivered()
        yield receiver, made, software, person, document


async def test_pages_are_for_those_they_are_meant_for(pages, browse):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url=BASE) as http:
        for method, url in (("GET", DESK), ("POST", f"{DESK}/retry"), ("GET", MINE), ("POST", f"{MINE}/end")):
            answer = await http.request(method, url)
            assert (answer.status_code, answer.headers.get("location")) == (303, "/signin"), url
    doctor, operator = await browse("doctor"), await browse("operator")
    for url in (DESK, MINE):
        await doctor.get(url, 404)
    await operator.get(MINE, 404)


async def test_the_operator_sees_what_failed_and_tries_again(country, browse, dead):
    receiver, made, software, person, document = dead
    operator = await browse("operator")
    page = await operator.get(DESK)
    shown = text(page)
    assert "Clinique <script>" in shown
    assert "The endpoint answered with an error. 500" in shown
    assert "1 event is not delivered" in shown
    whole = html.tostring(page).decode()
    for secret in ("s3cr3t", str(person.id), person.id.hex, document.key, "Secretperson", "{49}"):
        assert secret not in whole
    receiver.mode = "ok"
    await operator.send(page, f"{DESK}/retry")
    await country.delivered()
    assert receiver.taken[-1] == 1
    assert "Clinique" not in text(await operator.get(DESK))
    await operator.send(page, f"{DESK}/retry", 404)  # the same button in another window
    assert (await country.read(software, made))["status"] == "active"


async def test_the_operator_gives_up(country, browse, dead):
    receiver, made, software, *_ = dead
    operator = await browse("operator")
    page = await operator.get(f"{DESK}?q=clinique")
    receiver.mode = "ok"
    await operator.send(page, f"{DESK}/give-up")
    await country.delivered()
    assert len(receiver.events) == 3
    assert "Clinique" not in text(await operator.get(DESK))
    assert (await country.read(software, made))["status"] == "error"


async def test_a_form_without_its_token_or_with_nonsense_does_nothing(country, browse, dead):
    operator = await browse("operator")
    page = await operator.get(DESK)
    for fields, status in (({"_csrf": "wrong"}, 403), ({"letter": "nonsense"}, 404), ({"letter": str(uuid7())}, 404)):
        await operator.send(page, f"{DESK}/retry", status, **fields)
    answer = await operator.http.post(f"{DESK}/delete", data={"_csrf": page.forms[-1].fields["_csrf"]})
    assert answer.status_code == 404
    assert "Clinique" in text(await operator.get(DESK))


async def test_lists_are_searched_and_paged(country, browse, dead):
    operator = await browse("operator")
    everything = f"{DESK}?view=all"
    assert "Clinique" in text(await operator.get(f"{everything}&q=CLINIQUE+127.0.0.1"))
    assert "Nothing found" in text(await operator.get(f"{everything}&q=xyzzy"))
    assert "Nothing found" in text(await operator.get(f"{DESK}?q=xyzzy"))
    for _ in range(25):
        await country.subscribe(country.people["laboratory"], "http://127.0.0.1:9/".replace(":9/", ":9999/"))
    first = await operator.get(f"{everything}&q=labo")
    assert len(first.xpath("//li[contains(@class, 'entry')]")) == 20
    [following] = first.xpath("//a[@rel='next']/@href")
    second = await operator.get(following)
    assert len(second.xpath("//li[contains(@class, 'entry')]")) >= 5
    await operator.get(f"{DESK}?cursor=nonsense", 400)
    for made in await country.subscriptions.list_own(country.people["laboratory"]):
        await country.subscriptions.remove(country.people["laboratory"], made.id)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_numbers_and_words_in_every_language(browse, dead, language):
    operator = await browse("operator", language)
    for url in (DESK, f"{DESK}?view=all"):
        page = await operator.get(url)
        assert page.get("lang") == language
        assert len(page.xpath("//p[contains(@class, 'figure')]")) == 6


async def test_a_patient_ends_what_an_app_has_asked_for(country, browse, receiver):
    person = await country.world.person()
    me = country.people["me"] = requester_of(person)
    made = await country.subscribe(me, receiver.url, f"patient={person.id}")
    other = await country.world.person()
    another = await country.subscribe(requester_of(other), receiver.url, f"patient={other.id}")
    she = await browse("me")
    page = await she.get(MINE)
    assert "Documents" in text(page)
    assert "s3cr3t" not in html.tostring(page).decode()
    await she.send(page, f"{MINE}/end", 404, subscription=another["id"])
    await she.send(page, f"{MINE}/end", subscription=made["id"])
    assert "No app of yours has asked" in text(await she.get(MINE))
    await country.deposit(person)
    await country.delivered()
    assert receiver.events == []
    [(entry, ended)] = await country.world.events(person, SubscriptionEnded)
    assert (ended.cause, entry.actor.id) == ("removed", person.id)


async def test_an_empty_desk_says_so(server, tmp_path, pages, browse, country):
    from esante.core.storage import Objects
    from tests.conftest import create_database, open_journal
    from tests.services.record.conftest import open_world

    async with (
        open_journal(await create_database(server), tmp_path) as journal,
        open_world(journal.db, journal, Objects.open("", tmp_path)) as world,
    ):
        admin = subscriptions_of(world, fast()).admin
        figures = await admin.figures()
        assert (figures.waiting, figures.oldest, figures.letters) == (0, None, 0)
        assert (await admin.letters()).items == (await admin.subscriptions()).items == []
