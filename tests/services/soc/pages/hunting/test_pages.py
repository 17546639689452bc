"""The pages of hunts, advisories, sightings, coverage and threat intelligence; a member sees only its own."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from lxml import html

from esante.core.outbound import AddressPolicy
from esante.core.web import LANGUAGES
from esante.services.soc.coverage.service import CoverageOfMembers
from esante.services.soc.hunting.archive import Archive
from esante.services.soc.hunting.holdings import Holdings
from esante.services.soc.hunting.hunts import Hunts
from esante.services.soc.hunting.search import HuntSearch
from esante.services.soc.hunting.tenant_data import TenantData
from esante.services.soc.intelligence.feeds import FeedReader
from esante.services.soc.intelligence.observables import guess_observable
from esante.services.soc.intelligence.service import Intelligence
from esante.services.soc.intelligence.warning_lists import load_warning_lists
from esante.services.soc.pages.hunting.hunt_pages import HuntPages
from esante.services.soc.pages.hunting.indicator_pages import IndicatorPages
from esante.services.soc.pages.hunting.sharing_pages import SharingPages
from esante.services.soc.sharing.advisories import Advisories
from esante.services.soc.sharing.model import AdvisoryText
from esante.services.soc.sharing.sightings import SightingBook
from esante.services.soc.silence.service import Silences
from esante.services.soc.storage.service import EventStore
from tests.support.portal_browser import page_text
from tests.support.signed_in_pages import application_of
from tests.support.soc_hunting import keep, some_events

OPERATOR, CONTACT = "/operator/soc", "/security"
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
RULE = "title: R\nid: 1\nlogsource: {product: windows}\ndetection: {a: {Image: x}, condition: a}\ntags: [attack.execution, attack.t1059]\n"


class Watch:
    """The services behind the pages."""

    def __init__(self, world, objects, folder):
        db, journal = world.db, world.journal
        self.access = world.access
        events = EventStore(db)
        search = HuntSearch(db, objects, events, folder)
        self.archive = Archive(db, objects, journal, events, 1)
        self.hunts = Hunts(db, journal, world.tenants, search)
        data = TenantData(db, objects, journal, world.tenants, events, self.archive)
        self.advisories = Advisories(db, journal, world.tenants)
        self.book = SightingBook(db, journal, world.tenants, b"k" * 32)
        silences = Silences(db, journal, world.tenants, world.alerts)
        (folder / "rules").mkdir()
        (folder / "rules" / "r.yml").write_text(RULE)
        covered = CoverageOfMembers(db, world.tenants, str(folder / "rules"))
        intelligence = Intelligence(
            db, journal, world.alerts, search, FeedReader(AddressPolicy()), (), load_warning_lists()
        )
        self.routes = [
            *HuntPages(self.hunts, Holdings(db, world.tenants), data, self.access).routes(),
            *IndicatorPages(intelligence, self.access).routes(),
            *SharingPages(self.advisories, self.book, covered, silences, self.access).routes(),
        ]


@pytest.fixture
async def watch(world, objects, tmp_path):
    """The services behind the pages."""
    found = Watch(world, objects, tmp_path)
    yield found
    await found.hunts.close()


@pytest.fixture
def app(watch):
    """The pages."""
    return application_of(watch.access, watch.routes)


def text_of(response):
    """Return the text of an answer."""
    return page_text(html.fromstring(response.text))


def texts(title, text="Do it."):
    return {language: AdvisoryText(f"{title} {language}", text) for language in LANGUAGES}


async def member_with_events(world, watch, name):
    tenant, contact = await world.member(name)
    await keep(
        world.db,
        [
            *some_events(tenant.tenant_id, TODAY - timedelta(days=1), 20),
            *some_events(tenant.tenant_id, TODAY - timedelta(days=3), 30),
        ],
    )
    await watch.archive.move((TODAY - timedelta(days=3)).date())
    return tenant, contact


async def test_hunt_is_started_watched_and_read_and_saved(world, watch, browse):
    _, contact = await member_with_events(world, watch, "Hôpital A")
    browser = await browse(contact)
    page = await browser.get(f"{CONTACT}/hunts")
    assert "No hunt has been run yet" in page_text(page) and "No hunt is saved yet" in page_text(page)
    refused = await browser.submit(page, f"{CONTACT}/hunts", 400, q="", act="start")
    assert "The hunt looks for nothing" in text_of(refused)
    response = await browser.submit(
        page,
        f"{CONTACT}/hunts",
        q="connection",
        field0="dst_port",
        operator0="at_least",
        value0="1",
        days="30",
        act="start",
    )
    await asyncio.gather(*watch.hunts._working.values())
    (run,) = (await watch.hunts.runs(contact)).items
    page = await browser.get(f"{CONTACT}/hunts/{run.run_id}")
    assert "50 matches" in page_text(page) and "Matches over time" in page_text(page) and response is not None
    page = await browser.get(f"{CONTACT}/hunts?run={run.run_id}")
    assert page.xpath("//form[@method='post']//input[@name='q']/@value") == ["connection"]
    await browser.submit(page, f"{CONTACT}/hunts", q="connection", days="30", name="Mine", act="save")
    page = await browser.get(f"{CONTACT}/hunts")
    (link,) = page.xpath("//a[contains(@href, '?hunt=')]/@href")
    form = "//form[@method='post']//input[@name='q']/@value"
    assert (await browser.get(link)).xpath(form) == ["connection"]
    assert "Mine" in page_text(await browser.get(f"{CONTACT}/hunts/saved?q=MINE"))
    assert "Nothing found" in page_text(await browser.get(f"{CONTACT}/hunts/saved?q=xyzzy"))
    assert f"/hunts/{run.run_id}" in (await browser.http.get(f"{CONTACT}/hunts?q=connection")).text
    assert "Nothing found" in page_text(await browser.get(f"{CONTACT}/hunts?q=xyzzy"))
    assert "Nothing found" in page_text(await browser.get(f"{CONTACT}/hunts/{run.run_id}?q=xyzzy"))
    page = await browser.get(f"{CONTACT}/hunts/saved")
    (action,) = {form.get("action") for form in page.forms if form.get("action", "").endswith("/delete")}
    await browser.submit(page, action)
    assert "No hunt is saved yet" in page_text(await browser.get(f"{CONTACT}/hunts/saved"))


async def test_what_is_kept_is_shown_with_hashes_and_exported(world, watch, browse):
    tenant, contact = await member_with_events(world, watch, "Hôpital B")
    browser = await browse(contact)
    page = page_text(await browser.get(f"{CONTACT}/kept"))
    assert "30 events" in page and re.search(r"[0-9a-f]{64}", page) and "Events are kept for 365 days" in page
    answer = await browser.http.get(f"{CONTACT}/kept/{tenant.tenant_id}.zip")
    assert answer.status_code == 200 and answer.content[:2] == b"PK"


async def test_advisory_is_sent_read_confirmed_and_given_on(world, watch, browse):
    tenant, contact = await world.member("Hôpital C")
    operator, reader = await browse(world.anna), await browse(contact)
    page = await operator.get(f"{OPERATOR}/advisories")
    for form in page.xpath("//form[@method='get']"):
        form.drop_tree()
    given = {f"{part}_{language}": f"{part} {language}" for part in ("title", "text") for language in LANGUAGES}
    refused = await operator.submit(page, f"{OPERATOR}/advisories", 400, **given | {"title_lb": ""})
    assert "A text is missing or too long" in text_of(refused)
    await operator.submit(
        page,
        f"{OPERATOR}/advisories",
        **given,
        indicators="198.51.100.7",
        tlp="green",
        members=str(tenant.tenant_id),
        exercise="yes",
    )
    (sent,) = (await watch.advisories.page(contact)).items
    place = f"{CONTACT}/advisories/{sent.advisory_id}"
    page = await reader.get(place)
    assert (
        "title en" in page_text(page)
        and "This is an exercise" in page_text(page)
        and "198.51.100.7" in page_text(page)
    )
    await reader.submit(page, f"{place}/acknowledge")
    assert "Confirmed" in page_text(await reader.get(place))
    assert "1 of 1 have confirmed it" in page_text(await operator.get(f"{OPERATOR}/advisories/{sent.advisory_id}"))
    for form in ("stix", "misp"):
        answer = await operator.http.get(f"{OPERATOR}/advisories/{sent.advisory_id}.{form}.json")
        assert "198.51.100.7" in answer.text and "EXERCISE" in answer.text
        assert (await reader.http.get(f"{OPERATOR}/advisories/{sent.advisory_id}.{form}.json")).status_code == 404


async def test_question_about_sightings_is_answered(world, watch, browse):
    await world.db.fetch("DELETE FROM soc_sighting")
    members = [await world.member(f"Member {number}") for number in range(5)]
    for tenant, _ in members:
        async with world.db.transaction() as conn:
            await watch.book.record_in(conn, tenant.tenant_id, [guess_observable("198.51.100.7")], datetime.now(UTC))
    browser = await browse(members[0][1])
    page = await browser.get(f"{CONTACT}/sightings")
    answer = await browser.submit(page, f"{CONTACT}/sightings", 200, q="198.51.100.7")
    assert "4 other members have seen it" in text_of(answer)
    answer = await browser.submit(page, f"{CONTACT}/sightings", 200, q="198.51.100.8")
    assert "Fewer than 3 other members" in text_of(answer)
    answer = await browser.submit(page, f"{CONTACT}/sightings", 400, q="what")
    assert "This is no observable" in text_of(answer)


async def test_coverage_is_shown_and_handed_out_as_a_layer(world, watch, browse):
    tenant, contact = await world.member("Hôpital D")
    browser = await browse(contact)
    assert "0 of 1 techniques can be seen" in page_text(await browser.get(f"{CONTACT}/coverage"))
    await world.db.fetch(
        "INSERT INTO soc_source (tenant_id, source_id, name, kind, last_event_at, added_at) VALUES ($1, gen_random_uuid(), 'w', 'windows', now(), now())",
        tenant.tenant_id,
    )
    assert "1 of 1 techniques can be seen" in page_text(await browser.get(f"{CONTACT}/coverage"))
    layer = (await browser.http.get(f"{CONTACT}/coverage.json")).json()
    assert [one["techniqueID"] for one in layer["techniques"]] == ["T1059"]
    operator = await browse(world.anna)
    assert "Choose a member to see its coverage" in page_text(await operator.get(f"{OPERATOR}/coverage"))
    assert "1 of 1" in page_text(await operator.get(f"{OPERATOR}/coverage?member={tenant.tenant_id}"))


async def test_file_of_indicators_is_read_in_the_browser(world, watch, browse):
    operator = await browse(world.anna)
    page = await operator.get(f"{OPERATOR}/indicators")
    assert "There are no feeds yet" in page_text(page) and "No event matched an indicator" in page_text(page)
    token = page.xpath("//input[@name='_csrf']/@value")[0]
    content = json.dumps(
        {
            "response": {
                "Attribute": [{"type": "ip-dst", "value": "198.51.100.70", "to_ids": True, "timestamp": "1780000000"}]
            }
        }
    )
    answer = await operator.http.post(
        f"{OPERATOR}/indicators", data={"_csrf": token, "tlp": "green"}, files={"file": ("a.json", content)}
    )
    assert answer.status_code == 200 and "New: 1. Changed: 0." in answer.text
    assert "198.51.100.70" in page_text(await operator.get(f"{OPERATOR}/indicators?kind=ip&q=100.70"))
    answer = await operator.http.post(
        f"{OPERATOR}/indicators", data={"_csrf": token}, files={"file": ("a.json", b"<x>")}
    )
    assert answer.status_code == 400 and "not valid JSON" in answer.text


PAGES = ["hunts", "hunts/saved", "silences", "kept", "advisories", "sightings", "coverage"]


async def answers_of(browser, tenant, run):
    found = {}
    for path in (
        *(f"{CONTACT}/{page}" for page in PAGES),
        f"{CONTACT}/hunts/{run}",
        f"{CONTACT}/coverage?member={tenant.tenant_id}",
        f"{CONTACT}/coverage.json",
    ):
        answer = await browser.http.get(path)
        text = re.sub(r'name="_csrf" value="[^"]*"', "", answer.text)
        found[path] = (
            answer.status_code,
            text,
            {name: value for name, value in answer.headers.items() if name not in ("set-cookie", "content-length")},
        )
    return found


async def test_answers_to_a_member_are_the_same_whatever_another_has(world, watch, browse):
    tenant, contact = await member_with_events(world, watch, "Hôpital E")
    await watch.advisories.publish(world.anna, texts("For E"), watch_tlp(), members=[tenant.tenant_id])
    browser = await browse(contact)
    page = await browser.get(f"{CONTACT}/hunts")
    await browser.submit(page, f"{CONTACT}/hunts", q="connection", days="30", act="start")
    await asyncio.gather(*watch.hunts._working.values())
    (run,) = (await watch.hunts.runs(contact)).items
    before = await answers_of(browser, tenant, run.run_id)
    other, stranger = await member_with_events(world, watch, "Hôpital Fremd")
    await watch.advisories.publish(world.anna, texts("Secret"), watch_tlp(), members=[other.tenant_id])
    foreign = await watch.hunts.start(stranger, run.hunt)
    await watch.hunts.start(world.anna, run.hunt)
    await watch.hunts.save(stranger, "Foreign hunt", 7, run.hunt)
    await asyncio.gather(*watch.hunts._working.values())
    async with world.db.transaction() as conn:
        await watch.book.record_in(conn, other.tenant_id, [guess_observable("198.51.100.7")], datetime.now(UTC))
    assert await answers_of(browser, tenant, run.run_id) == before
    absent = await browser.http.get(f"{CONTACT}/hunts/{tenant.tenant_id}")
    for path in (f"hunts/{foreign.run_id}", f"coverage?member={other.tenant_id}", f"kept/{other.tenant_id}.zip"):
        answer = await browser.http.get(f"{CONTACT}/{path}")
        assert (answer.status_code, text_of(answer)) == (404, text_of(absent))
    for page in (*PAGES, "indicators"):
        assert (await browser.http.get(f"{OPERATOR}/{page}")).status_code == 404


def watch_tlp():
    from esante.services.soc.intelligence.model import Tlp

    return Tlp.GREEN


async def test_professional_who_is_no_contact_sees_no_page(world, watch, browse):
    tenant, _ = await world.member("Hôpital G")
    organization = await world.directory.organization(tenant.organization_id)
    browser = await browse(await world.professional(organization))
    for page in PAGES:
        if page != "sightings":
            assert (await browser.http.get(f"{CONTACT}/{page}")).status_code == 404, page
