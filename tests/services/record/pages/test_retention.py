"""The pages of retention, without JavaScript: what ends, what is kept, what is proposed and agreed."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_limits import end_of
from esante.core.time_zone import day_of
from esante.identity.access import requester_of
from esante.services.record import Deposit
from esante.services.record.retention.rules import last_kept_day
from tests.support.lifecycle_clock import running_clock
from tests.support.record_pages import deposit_document, load_page, main_text, send_form
from tests.support.retention import executor_of, months

PLACE = "/record/retention"
START = datetime(2030, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
async def now(world):
    """A clock that a test sets."""
    await months(world, START)
    with running_clock(START) as running:
        yield running


async def titled(world, title, person=None, by="doctor"):
    """A letter with a title."""
    content = f"{title} {uuid7().hex}".encode()
    return await deposit_document(
        world, content, Deposit(type="51852-2", title=title, media_type="text/plain"), person, by
    )


async def near_the_end(world, now, document):
    """Go to the time when the end of a document has been told."""
    now.set(end_of(last_kept_day(document.deposited_at)) - timedelta(days=60))
    await months(world, now.at)
    await executor_of(world).plan()


async def test_what_ends_soon_is_shown_and_can_be_kept_for_life(world, browse, now):
    person, document = await titled(world, "Knee")
    client = await browse(requester_of(person))
    assert "Nothing ends soon" in main_text(await load_page(client, PLACE))
    await near_the_end(world, now, document)
    client = await browse(requester_of(person))
    page = await load_page(client, PLACE)
    assert "Knee" in main_text(page) and "The storage period of some data ends soon" in main_text(page)
    assert "Knee" not in main_text(await load_page(client, f"{PLACE}?show=life"))
    await send_form(client, page, f"{PLACE}/keep")
    assert "Nothing ends soon" in main_text(await load_page(client, PLACE))
    kept = await load_page(client, f"{PLACE}?show=life")
    assert "Kept for as long as your record is open" in main_text(kept)
    await send_form(client, kept, f"{PLACE}/end")
    assert "Your agreements" not in main_text(await load_page(client, PLACE))


async def test_author_proposes_and_person_agrees(world, browse, now):
    person, document = await titled(world, "Plaster")
    await world.into_circle(person, world.people["doctor_entry"])
    doctor, patient = await browse(world.people["doctor"]), await browse(requester_of(person))
    url = f"/patients/{person.id}/documents/{document.id}"
    until = day_of(clock.now()) + timedelta(days=500)
    page = await load_page(doctor, url)
    await send_form(doctor, page, f"{url}/retention", length="until", until=until.isoformat())
    assert "asked whether they agree" in main_text(await load_page(doctor, f"{url}?proposed=yes"))
    asked = await load_page(patient, PLACE)
    assert "Your agreement is asked for" in main_text(asked) and "Marc Muller proposes" in main_text(asked)
    await send_form(patient, asked, f"{PLACE}/agree")
    assert "Proposed by Marc Muller, agreed by you" in main_text(await load_page(patient, PLACE))
    assert (await world.record.document(requester_of(person), person.id, document.id)).expires_on == until


async def test_only_the_author_has_the_form_and_a_wrong_day_is_refused(world, browse, now):
    person, document = await titled(world, "Cast")
    for who in ("doctor", "other"):
        await world.into_circle(person, world.people[f"{who}_entry"])
    url = f"/patients/{person.id}/documents/{document.id}"
    doctor, other = [await browse(world.people[who], with_token=True) for who in ("doctor", "other")]
    assert not (await load_page(other, url)).xpath(f"//form[@action='{url}/retention']")
    assert (await other.post(f"{url}/retention", data={"length": "life"})).status_code == 403
    for until, status in (("2030-06-20", 422), ("2060-01-01", 422), ("soon", 400), ("", 400)):
        answer = await doctor.post(f"{url}/retention", data={"length": "until", "until": until})
        assert answer.status_code == status


async def test_list_is_searched_and_has_pages(world, browse, now):
    person, _ = await titled(world, "Number 0.")
    for number in range(1, 33):
        await titled(world, f"Number {number}.", person)
    client = await browse(requester_of(person))
    first = await load_page(client, f"{PLACE}?show=all")
    second = await load_page(client, first.xpath("//a[@rel='next']/@href")[0])
    assert not second.xpath("//a[@rel='next']")
    counts = [len(page.xpath("//section[@aria-labelledby='held']/ul/li")) for page in (first, second)]
    assert counts == [30, 3]
    found = main_text(await load_page(client, f"{PLACE}?show=all&q=number+31"))
    assert "Number 31." in found and "Number 30." not in found
    assert "No documents found" in main_text(await load_page(client, f"{PLACE}?show=all&q=nothing"))
    await load_page(client, f"{PLACE}?show=x", 404)


async def test_closed_record_shows_nothing_and_foreign_keys_are_not_found(world, browse, now):
    person, document = await titled(world, "Private")
    foreign = await browse(requester_of(await world.person()), with_token=True)
    for act, field in (("keep", "source"), ("agree", "agreement"), ("refuse", "agreement"), ("end", "agreement")):
        for value in (str(document.series_id), "x", ""):
            assert (await foreign.post(f"{PLACE}/{act}", data={field: value})).status_code == 404
    assert (await foreign.post(f"{PLACE}/other", data={})).status_code == 404
    await world.access.lifecycle.change(requester_of(person), "close")
    client = await browse(requester_of(person), with_token=True)
    text = main_text(await load_page(client, f"{PLACE}?show=all"))
    assert "Your record is not open" in text and "Private" not in text
    assert (await client.post(f"{PLACE}/keep", data={"source": str(document.series_id)})).status_code == 404
