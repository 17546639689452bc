"""The pages of events: the search, an event with its original, who looked."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest

from esante.core import clock
from esante.services.soc.console import event_search
from tests.support.portal_browser import page_text
from tests.support.soc import a_finding
from tests.support.soc_events import a_stored_event, store

OPERATOR, CONTACT = "/operator/soc", "/security"
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
HOSTILE = "<script>alert(1)</script>\"'{{7*7}}"


def recent(tenant, text="a line", minutes=1, **changes):
    return a_stored_event(tenant.tenant_id, clock.now() - timedelta(minutes=minutes), text, **changes)


async def test_search_finds_by_host_account_and_words_within_a_time(world, browse):
    tenant, contact = await world.member("Hôpital A")
    events = [
        recent(tenant, "Login failed", 2, host="ws-1", user="eve"),
        recent(tenant, "Disk full", 3, host="ws-2"),
        recent(tenant, "Long ago", 60 * 30, host="ws-1"),
    ]
    await store(world.db, *events)
    browser = await browse(contact)
    for query, found in (
        ("", {"Login failed", "Disk full"}),
        ("?host=WS-1", {"Login failed"}),
        ("?host=ws-1&span=week", {"Login failed", "Long ago"}),
        ("?q=disk", {"Disk full"}),
        ("?user=eve", {"Login failed"}),
        ("?severity=4", set()),
    ):
        text = page_text(await browser.get(f"{CONTACT}/events{query}"))
        assert {one for one in ("Login failed", "Disk full", "Long ago") if one in text} == found, query
    assert "No event fits" in page_text(await browser.get(f"{CONTACT}/events?q=xyzzy"))


async def test_list_of_more_than_a_page_leads_to_the_next(world, browse, monkeypatch):
    monkeypatch.setattr(event_search, "PAGE_SIZE", 2)
    tenant, contact = await world.member("Hôpital B")
    await store(world.db, *(recent(tenant, f"number {number}", number + 1) for number in range(3)))
    browser = await browse(contact)
    page = await browser.get(f"{CONTACT}/events")
    assert "number 0" in page_text(page) and "number 2" not in page_text(page)
    (link,) = page.xpath("//a[@rel='next']/@href")
    assert "number 2" in page_text(await browser.get(link))


@pytest.mark.parametrize("query", ["span=year", "severity=x", "source=x", "member=1", "severity=-123"])
async def test_address_that_no_form_makes_is_not_found(world, browse, query):
    assert (await (await browse(world.anna)).http.get(f"{OPERATOR}/events?{query}")).status_code == 404


async def test_event_shows_its_original_and_the_alert_of_its_rule_and_is_journalled(world, browse):
    tenant, contact = await world.member("Hôpital C")
    event = recent(tenant, f"Login {HOSTILE}", user="eve", rules=("rule-1", "rule-2"))
    await store(world.db, event)
    async with world.db.transaction() as conn:
        (alert,) = await world.alerts.raise_in(conn, [a_finding(tenant.tenant_id, f"sigma:rule-1:{event.key}")])
    browser = await browse(contact)
    page = await browser.get(f"{CONTACT}/events/{event.event_id}")
    assert HOSTILE in page.xpath("//pre")[0].text_content()
    raw = (await browser.http.get(f"{CONTACT}/events/{event.event_id}")).text
    assert "<script>alert" not in raw
    assert page.xpath(f"//a[@href='{CONTACT}/alerts/{alert.alert_id}']")
    assert "rule-2" in page_text(page) and "class_uid" in page_text(page)
    file = await browser.http.get(f"{CONTACT}/events/{event.event_id}/original")
    assert file.text == f"Login {HOSTILE}" and "attachment" in file.headers["content-disposition"]
    assert await world.journal_count("soc.event_opened") == 3


async def test_event_of_another_member_and_an_unknown_one_look_the_same(world, browse):
    tenant, contact = await world.member("Hôpital D")
    other, _ = await world.member("Hôpital E")
    theirs = recent(other, "Secret")
    await store(world.db, recent(tenant, "Own"), theirs)
    browser = await browse(contact)
    places = [f"{CONTACT}/events/{key}" for key in (theirs.event_id, uuid4())]
    answers = [await browser.http.get(place) for place in places]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert KEY.sub("", answers[0].text) == KEY.sub("", answers[1].text)
    assert await world.journal_count("soc.event_opened") == 0
    found = page_text(await browser.get(f"{CONTACT}/events?member={tenant.tenant_id}"))
    assert "Own" in found and "Secret" not in found
    assert (await browser.http.get(f"{CONTACT}/events?member={other.tenant_id}")).status_code == 404


async def test_operator_sees_the_events_of_every_member_and_filters_by_one(world, browse):
    one, _ = await world.member("Hôpital F")
    other, _ = await world.member("Hôpital G")
    await store(world.db, recent(one, "First of F"), recent(other, "First of G", user="eve"))
    operator = await browse(world.anna)
    text = page_text(await operator.get(f"{OPERATOR}/events"))
    assert "First of F" in text and "First of G" in text and "Hôpital G" in text
    assert await world.journal_count("soc.events_listed") == 1
    text = page_text(await operator.get(f"{OPERATOR}/events?member={one.tenant_id}"))
    assert "First of F" in text and "First of G" not in text
    assert await world.journal_count("soc.events_listed") == 1


async def test_search_that_takes_too_long_is_broken_off_with_a_remedy(world, browse, monkeypatch):
    monkeypatch.setattr(event_search, "MOST_SECONDS", 0.0)
    answer = await (await browse(world.anna)).http.get(f"{OPERATOR}/events")
    assert answer.status_code == 503 and "Choose a shorter time" in answer.text
