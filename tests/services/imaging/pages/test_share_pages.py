"""A study shared by a link: made by its person, opened with a PIN, seen with the recipient's name in it, ended."""

import asyncio
import io
from datetime import timedelta

import numpy as np
import pytest
from lxml import html
from PIL import Image

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.access import Act, Confidentiality, Disposition, requester_of
from esante.services.imaging.release.service import Releases
from esante.services.imaging.sharing.model import MAX_ATTEMPTS, VISIT, ShareCreated, ShareEnded, ShareOpened
from esante.services.imaging.sharing.service import PATH
from tests.support.dicom import study_files, uids
from tests.support.lifecycle_clock import running_clock
from tests.support.record import BASE
from tests.support.record_pages import load_page, main_text, send_form

ORIGIN = "192.0.2.7"


def wrong(pin: str) -> str:
    return f"{(int(pin) + 1) % 1_000_000:06d}"


async def enter(client, url, pin, name="Dr Weber, Trier", status=303):
    """Send the form of a link."""
    page = await load_page(client, url)
    return await send_form(client, page, url.removeprefix(BASE), status=status, recipient=name, pin=pin)


async def test_person_makes_a_link_and_a_doctor_opens_it(browse, recipient, world, person, study):
    patient = await browse(requester_of(person))
    address = f"/images/{uids(study[0])[0]}/share"
    page = await load_page(patient, address)
    assert page.xpath("//select[@name='days']/option[@selected]/@value") == ["90"]
    answer = await send_form(patient, page, address, status=200, label="Dr Weber")
    made = html.fromstring(answer.text)
    url, pin = made.xpath("//textarea")[0].text.strip(), made.xpath("//p[@class='code']")[0].text
    assert made.xpath("//*[contains(@class, 'qr-code')]")
    opened = await enter(recipient, url, f"{pin[:3]} {pin[3:]}")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and f"Path={url.removeprefix(BASE)}" in cookie
    study_page = await load_page(recipient, url)
    assert "Dr Weber, Trier" in main_text(study_page) and person.family in main_text(study_page)
    [picture] = study_page.xpath("//img[@id='picture']/@src")
    shown = await recipient.get(picture)
    assert Image.open(io.BytesIO(shown.content)).format == "JPEG"
    entries = [
        (entry.actor.name, event.series_uid, event.allowed) for entry, event in await opened_events(world, person)
    ]
    assert entries == [("Dr Weber, Trier", "", True), ("Dr Weber, Trier", uids(study[0])[1], True)]
    log = main_text(await load_page(patient, f"/images/{uids(study[0])[0]}"))
    assert "Dr Weber, Trier" in log and "nobody has checked this name" in log
    assert "Dr Weber, Trier opened images with your link" in main_text(await load_page(patient, "/log"))
    assert "opened 1 time" in main_text(await load_page(patient, address))


async def opened_events(world, person):
    return await world.events(person, ShareOpened)


async def test_each_series_is_journalled_once_for_a_visit(recipient, world, make, person, study):
    made = await make()
    await enter(recipient, made.url, made.pin)
    for _ in range(2):
        for file in study:
            _, series, instance = uids(file)
            rest = f"/series/{series}/instances/{instance}/frames/1/rendered"
            assert (await recipient.get(made.url + rest)).status_code == 200
    seen = [event.series_uid for _, event in await opened_events(world, person) if event.series_uid]
    assert sorted(seen) == sorted({uids(file)[1] for file in study})


async def test_picture_has_the_name_of_the_recipient_in_it(browse, recipient, person, study, make):
    made = await make()
    pictures = []
    for name in ("Dr Weber", "Dr Weber", "Dr Klein"):
        recipient.cookies.clear()
        await enter(recipient, made.url, made.pin, name)
        page = await load_page(recipient, made.url)
        answer = await recipient.get(page.xpath("//img[@id='picture']/@src")[0], headers={"Accept": "image/png"})
        pictures.append(np.asarray(Image.open(io.BytesIO(answer.content)).convert("L")))
    assert (pictures[0] == pictures[1]).all() and (pictures[0] != pictures[2]).any()


@pytest.mark.parametrize("gone", ["ended", "expired", "unknown", "locked", "withdrawn", "withheld", "pin"])
async def test_what_does_not_open_is_answered_alike(recipient, world, imaging, shares, make, person, study, gone):
    other, made = await make(), await make(days=1)
    url, pin, later = made.url, made.pin, timedelta(0)
    if gone == "ended":
        await shares.end(requester_of(person), made.share.share_id)
        await shares.end(requester_of(person), made.share.share_id)
    elif gone == "expired":
        later = timedelta(days=1, seconds=1)
    elif gone == "unknown":
        url = f"{BASE}{PATH}/{'x' * 43}"
    elif gone == "locked":
        for _ in range(MAX_ATTEMPTS):
            with pytest.raises(Problem):
                await shares.open(url.rpartition("/")[2], "Guess", wrong(pin), ORIGIN)
    elif gone == "withdrawn":
        hospital = world.people["hospital"]
        timeline = await world.record.timeline(hospital, person.id)
        (document,) = [one for one in timeline.documents if one.category == "imaging_study"]
        await world.record.withdraw(hospital, person.id, document.id, "of another patient")
    elif gone == "withheld":
        releases = Releases(world.db, imaging.archive, world.record)
        await releases.withhold(world.people["hospital"], uids(study[0])[0], 1)
    else:
        pin = wrong(pin)
    with running_clock(clock.now() + later):
        answers = [await recipient.get(url), await enter(recipient, url, pin, status=404)]
        expected = [await recipient.get(other.url), await enter(recipient, other.url, wrong(other.pin), status=404)]
    for answer, one in zip(answers, expected, strict=True):
        assert answer.status_code == one.status_code
        texts = [found.text.replace(of.rpartition("/")[2], "") for found, of in ((answer, url), (one, other.url))]
        assert texts[0] == texts[1]
        assert sorted(answer.headers) == sorted(one.headers)


async def test_ended_link_ends_the_visit_at_once(recipient, world, shares, make, person):
    made = await make()
    await enter(recipient, made.url, made.pin)
    page = await load_page(recipient, made.url)
    [picture] = page.xpath("//img[@id='picture']/@src")
    await shares.end(requester_of(person), made.share.share_id)
    assert (await recipient.get(picture)).status_code == 404
    assert (await load_page(recipient, made.url)).xpath("//input[@name='pin']")
    assert [event.cause for _, event in await world.events(person, ShareEnded)] == ["patient"]


async def test_nothing_is_sent_of_a_visit_that_ends_meanwhile(recipient, world, shares, make, person, study):
    made = await make()
    address = made.url.rpartition("/")[2]
    token = await shares.open(address, "Dr Weber", made.pin, ORIGIN)
    visit = await shares.visit(address, token, ORIGIN)
    await shares.end(requester_of(person), made.share.share_id)
    with pytest.raises(Problem) as refused:
        await shares.opened(visit, uids(study[0])[1], "CT", "rendered")
    assert refused.value.status == 404
    assert [event.series_uid for _, event in await opened_events(world, person)] == [""]


async def test_visit_is_over_after_some_hours(recipient, make):
    made = await make()
    await enter(recipient, made.url, made.pin)
    with running_clock(clock.now() + VISIT + timedelta(seconds=1)):
        assert (await load_page(recipient, made.url)).xpath("//input[@name='pin']")


async def test_study_that_its_person_hid_is_still_shown_by_their_link(recipient, world, make, person):
    patient = requester_of(person)
    timeline = await world.record.timeline(patient, person.id)
    (document,) = [one for one in timeline.documents if one.category == "imaging_study"]
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    made = await make()
    await enter(recipient, made.url, made.pin)
    assert (await load_page(recipient, made.url)).xpath("//img[@id='picture']")


async def test_visit_shows_its_study_only(recipient, store, make, person):
    made = await make()
    await enter(recipient, made.url, made.pin)
    others = study_files(person, instances=1)
    await store(others)
    _, series, instance = uids(others[0])
    for rest in (f"{series}/instances/{instance}/frames/1", "x/instances/y/frames/1"):
        assert (await recipient.get(f"{made.url}/series/{rest}/rendered")).status_code == 404


async def test_parallel_guesses_get_no_more_attempts(shares, world, make, person):
    made = await make()
    address = made.url.rpartition("/")[2]
    guesses = [
        shares.open(address, "Guess", wrong(made.pin), f"192.0.2.{number}") for number in range(MAX_ATTEMPTS + 3)
    ]
    found = await asyncio.gather(*guesses, return_exceptions=True)
    assert {one.status for one in found} == {404}
    assert [event.cause for _, event in await world.events(person, ShareEnded)] == ["attempts"]
    rules = [event.rule for _, event in await opened_events(world, person)]
    assert (rules.count("imaging-share.pin"), rules.count("imaging-share.ended")) == (MAX_ATTEMPTS, 3)


async def test_many_guesses_from_one_network_are_held_up(shares):
    with pytest.raises(Problem) as held:
        for _ in range(200):
            await _refused(shares.open("x" * 43, "Guess", "000000", "198.51.100.9"))
    assert held.value.status == 429


async def _refused(opening):
    try:
        await opening
    except Problem as problem:
        if problem.status != 404:
            raise


async def test_server_keeps_neither_address_nor_pin(world, make, person):
    made = await make()
    rows = await world.db.fetch("SELECT s::text AS kept FROM imaging_share s WHERE person_id = $1", person.id)
    entries = await world.events(person, ShareCreated)
    kept = " ".join(row["kept"] for row in rows)
    assert len(rows) == len(entries) == 1
    assert made.url.rpartition("/")[2] not in kept + repr(entries)
    assert f",{made.pin}," not in kept and f"'{made.pin}'" not in repr(entries)


@pytest.mark.parametrize("fields", [{"label": ""}, {"label": "x", "days": "91"}, {"label": "x", "days": "-1"}])
async def test_link_without_a_purpose_or_for_another_time_is_not_made(browse, world, person, study, fields):
    patient = await browse(requester_of(person))
    address = f"/images/{uids(study[0])[0]}/share"
    answer = await send_form(patient, await load_page(patient, address), address, status=400, **fields)
    assert 'class="error"' in answer.text
    assert await world.events(person, ShareCreated) == []


async def test_nobody_shares_or_ends_for_another(browse, world, shares, make, person, study):
    made, another = await make(), await world.person()
    address = f"/images/{uids(study[0])[0]}/share"
    stranger = await browse(requester_of(another))
    assert (await stranger.get(address)).status_code == 404
    with pytest.raises(Problem) as refused:
        await shares.create(requester_of(another), uids(study[0])[0], "x", 90, downloads=False)
    assert refused.value.status == 404
    with pytest.raises(Problem) as refused:
        await shares.end(requester_of(another), made.share.share_id)
    assert refused.value.status == 404
    doctor = await browse(world.people["doctor"])
    assert (await doctor.get(address)).status_code == 404


async def test_record_that_is_deleted_takes_its_links_along(recipient, world, shares, make, person):
    made = await make()
    await enter(recipient, made.url, made.pin)
    plan = Disposition(
        person_id=person.id, id=uuid7(), act=Act.DELETE, rule="test", due_at=clock.now(), upto=clock.now()
    )
    async with world.db.transaction() as conn:
        step = await shares.delete_record(conn, plan)
    assert (step.items, step.finished) == (1, True)
    assert await shares.shares_of(requester_of(person), made.share.study_uid) == []
    assert (await load_page(recipient, made.url)).xpath("//input[@name='pin']")
