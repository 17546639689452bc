"""The pages of operators: figures, countries, messages, codes without a translation."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, uuid7
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.exchange.audit import AuditTrail, Exchanged, Side, loss_rows
from esante.services.exchange.contact_points import ContactPoints, Transaction
from esante.services.exchange.pages.operator_pages import PLACE, OperatorPages
from esante.services.exchange.settings import ExchangeSettings
from esante.services.exchange.translation.model import CodedElement, Outcome, Translation
from tests.support.contact_points import contact_points, trial_country
from tests.support.portal_browser import PortalBrowser, page_text
from tests.support.signed_in_pages import BASE, Visit, application_of, browsers_of

ANN = Requester(kind="operator", id=uuid7(), name="Ann")
DOCTOR = Requester(kind="practitioner", id=uuid7(), name="Dr Ana Exemplo")
UNKNOWN = CodedElement(
    place="/ClinicalDocument/code",
    outcome=Outcome.NOT_IN_CATALOGUE,
    before=("1234-5", "2.16.840.1.113883.6.1", "<b>secret</b>"),
    after=("1234-5", "2.16.840.1.113883.6.1", "<b>secret</b>"),
)


@dataclass(frozen=True)
class World:
    """A contact point with its pages."""

    db: Database
    points: ContactPoints
    trail: AuditTrail
    visit: Visit

    async def operator(self, language: str = "en") -> PortalBrowser:
        return await self.visit(ANN, language)

    async def register(self, country: str) -> None:
        there = trial_country(country)
        await self.points.register(ANN, there.files(), there.confirmed)

    async def exchange(self, message_id: str, country: str = "PT", outcome: str = "", documents: int = 0) -> None:
        now = clock.now()
        translation = Translation(b"", "fr", [UNKNOWN, UNKNOWN])
        rows = [row for _ in range(documents) for row in loss_rows(Side.ASKED, country, translation)]
        done = Exchanged(
            side=Side.ASKED,
            transaction=Transaction.RETRIEVE,
            content="60591-5",
            country=country,
            initiator=DOCTOR,
            message_id=message_id,
            request=b"request",
            answer=b"answer",
            outcome=outcome,
            began_at=now - timedelta(milliseconds=80),
            ended_at=now,
        )
        await self.trail.record(done, rows)


@pytest.fixture
async def world(db: Database, journal: Journal, tmp_path: Path) -> AsyncIterator[World]:
    for table in ("exchange_contact_point", "exchange_message", "exchange_loss"):
        await db.fetch(f"DELETE FROM {table}")
    points = contact_points(db, journal, tmp_path / "exchange")
    trail, access = AuditTrail(db, journal), Access(db, journal, Directory(db, journal), base_url=BASE)
    pages = OperatorPages(points, trail, access, ExchangeSettings(ncp_connector="record"))
    async with browsers_of(application_of(access, pages.routes())) as visit:
        yield World(db, points, trail, visit)


async def test_only_operators_see_the_pages(world: World) -> None:
    await world.register("PT")
    for path in ("", "/countries", "/countries/PT", "/messages", "/losses", "/figures.csv?month=2026-11"):
        response = await (await world.visit(DOCTOR)).http.get(PLACE + path)
        assert response.status_code == 404, path
        assert (await (await world.visit(None)).http.get(PLACE + path)).status_code == 303


async def test_empty_pages_say_what_comes(world: World) -> None:
    browser = await world.operator()
    assert "No country is registered" in page_text(await browser.get(f"{PLACE}/countries"))
    assert "No messages yet" in page_text(await browser.get(f"{PLACE}/messages"))
    assert "Every code was translated" in page_text(await browser.get(f"{PLACE}/losses"))
    assert "Translations use a small sample" in page_text(await browser.get(PLACE))


async def test_country_is_suspended_with_a_reason_and_resumed(world: World) -> None:
    await world.register("PT")
    browser, place = await world.operator(), f"{PLACE}/countries/PT"
    page = await browser.get(place)
    assert "Portugal" in page_text(page) and "ITI-55" in page_text(page)
    refused = await browser.submit(page, f"{place}/state", 400, reason="short")
    assert "short" in refused.text and await world.points.find("PT")
    await browser.submit(page, f"{place}/state", reason="Its seal was stolen last night.")
    assert await world.points.find("PT") is None
    page = await browser.get(f"{place}?saved=suspended")
    assert "Suspended" in page_text(page)
    await browser.submit(page, f"{place}/state", reason="It has a new seal since today.")
    assert await world.points.find("PT")
    await browser.get(f"{PLACE}/countries/XX", 404)


async def test_countries_are_found_by_their_name_in_the_language(world: World) -> None:
    await world.register("PT")
    await world.register("MT")
    browser = await world.operator("fr")
    assert "Portugal" not in page_text(await browser.get(f"{PLACE}/countries?q=malte"))
    assert "Malte" in page_text(await browser.get(f"{PLACE}/countries?q=MALTE"))


async def test_messages_are_searched_filtered_and_paged(world: World) -> None:
    for number in range(23):
        await world.exchange(f"urn:uuid:{number:02}", outcome="" if number % 4 else "ERROR_PS_NOT_FOUND")
    browser = await world.operator()
    page = await browser.get(f"{PLACE}/messages")
    assert "urn:uuid:22" in page_text(page) and "urn:uuid:02" not in page_text(page)
    (following,) = page.xpath("//a[@rel='next']/@href")
    assert "urn:uuid:02" in page_text(await browser.get(following))
    failed = page_text(await browser.get(f"{PLACE}/messages?failed=1"))
    assert failed.count("ERROR_PS_NOT_FOUND") == 6 and "urn:uuid:01" not in failed
    assert "Nothing found" in page_text(await browser.get(f"{PLACE}/messages?q=xyzzy"))
    assert "Nothing found" in page_text(await browser.get(f"{PLACE}/messages?side=A"))


async def test_lost_codes_are_counted_by_document_and_shown_without_their_display(world: World) -> None:
    await world.exchange("urn:uuid:1", documents=2)
    await world.exchange("urn:uuid:2", "MT", documents=1)
    browser = await world.operator()
    text = page_text(await browser.get(f"{PLACE}/losses"))
    assert "1234-5" in text and "3 documents" in text and "Malta, Portugal" in text and "secret" not in text
    assert "Nothing found" in page_text(await browser.get(f"{PLACE}/losses?q=xyzzy"))


async def test_figures_are_handed_out_as_a_file(world: World) -> None:
    await world.exchange("urn:uuid:1")
    browser = await world.operator()
    response = await browser.http.get(f"{PLACE}/figures.csv", params={"month": clock.now().strftime("%Y-%m")})
    assert response.headers["content-disposition"].startswith("attachment") and ",LU,PT,ITI-39," in response.text
    assert (await browser.http.get(f"{PLACE}/figures.csv?month=2026-13")).status_code == 400
