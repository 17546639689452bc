"""The page of operators: messages that were not processed, searched, paged, processed again."""

import pytest

from esante.core.storage import NIL
from esante.identity.access import requester_of
from esante.identity.directory import Identifier, matricule
from esante.services.exchange.mllp.model import MessageRepeated
from esante.services.exchange.mllp.pages import PLACE, MessagePages
from tests.services.exchange.mllp.conftest import BORN
from tests.services.exchange.mllp.messages import adt, header, message, pid
from tests.support.portal_browser import page_text
from tests.support.signed_in_pages import application_of, browsers_of


@pytest.fixture
async def visit(world, processor):
    """A browser of somebody."""
    await world.db.fetch("DELETE FROM exchange_hl7_message")
    pages = MessagePages(world.db, world.journal, processor, world.access, world.directory)
    async with browsers_of(application_of(world.access, pages.routes())) as visit:
        yield visit


async def fail(world, processor, control_id: str) -> None:
    data = message(header("ADT^A40", control_id), pid("1980051799999", name="Secret^Name"))
    await processor.answer(world.people["hospital"].id, "192.0.2.1", data)


async def test_only_operators_see_the_page(world, visit):
    for who in (world.people["doctor"], world.people["hospital"], requester_of(await world.person())):
        assert (await (await visit(who)).http.get(PLACE)).status_code == 404
    assert (await (await visit(None)).http.get(PLACE)).status_code == 303


async def test_empty_page_says_that_nothing_waits(world, visit):
    browser = await visit(world.people["operator"])
    assert "Every message was processed" in page_text(await browser.get(PLACE))
    assert "No message was processed yet" in page_text(await browser.get(f"{PLACE}?show=done"))


async def test_messages_are_listed_without_what_they_say_searched_and_paged(world, processor, visit):
    for number in range(23):
        await fail(world, processor, f"list{number:02}")
    browser = await visit(world.people["operator"])
    page = await browser.get(PLACE)
    text = page_text(page)
    assert "list22" in text and "list02" not in text
    assert "This event is not taken." in text and "Hôpital du Nord" in text
    assert "Secret" not in text and "1980051799999" not in text
    (following,) = page.xpath("//a[@rel='next']/@href")
    assert "list02" in page_text(await browser.get(following))
    found = page_text(await browser.get(f"{PLACE}?q=LIST07"))
    assert "list07" in found and "list08" not in found
    assert "list22" in page_text(await browser.get(f"{PLACE}?q=Nord"))
    assert "Nothing found" in page_text(await browser.get(f"{PLACE}?q=elsewhere"))


async def test_message_is_processed_again_once_its_cause_is_gone(world, processor, visit):
    number = matricule(BORN, 960)
    await processor.answer(world.people["hospital"].id, "192.0.2.1", adt("A01", number, control_id="page1"))
    browser = await visit(world.people["operator"])
    page = await browser.get(PLACE)
    (action,) = page.xpath("//form[contains(@action, '/repeat')]/@action")
    await browser.submit(page, action)
    assert "page1" in page_text(await browser.get(PLACE))
    person = await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", number)])
    await browser.submit(page, action)
    assert "Every message was processed" in page_text(await browser.get(PLACE))
    assert "page1" in page_text(await browser.get(f"{PLACE}?show=done"))
    assert len(await world.access.stays.list_stays(world.people["hospital"], person.id)) == 1
    entries = await world.journal.entries_of(NIL, [MessageRepeated], limit=2)
    assert [entry.event.done for entry in entries] == [True, False]
    assert entries[0].actor.id == world.people["operator"].id


async def test_message_that_does_not_exist_any_more_is_not_found(world, processor, visit):
    await fail(world, processor, "gone")
    browser = await visit(world.people["operator"])
    page = await browser.get(PLACE)
    (action,) = page.xpath("//form[contains(@action, '/repeat')]/@action")
    await world.db.fetch("DELETE FROM exchange_hl7_message")
    await browser.submit(page, action, 404)
