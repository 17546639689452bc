"""The operator's pages: two persons, acknowledged anomalies, nothing public before its hour."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from lxml import html
from starlette.applications import Starlette

from esante.core.storage import uuid7
from esante.core.time_zone import time_zone
from esante.core.web import HANDLERS, SecurityHeaders, group_routes
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.routes import page_routes
from tests.support.bulletin_journal import (
    LAST,
    acknowledge_all,
    load_late_deposits,
    load_past,
    month_back,
    open_bulletin,
)

PORTAL = "https://data.example"
APPROVE = f"/operator/bulletin/{LAST}/approve"


def open_platform(journal, folder):
    """Return a bulletin with its access and its pages, which name a national portal."""
    bulletin = open_bulletin(journal, folder)
    access = Access(journal.db, journal, Directory(journal.db, journal, "warn"), base_url="http://test")
    routes = page_routes(journal.db, bulletin, access, "http://test", folder / "files", portal_url=PORTAL)
    app = Starlette(routes=group_routes(routes), exception_handlers=HANDLERS)
    app.state.sessions, app.state.secure = access.sessions, False
    return bulletin, access, app


@pytest.fixture
async def platform(fresh, tmp_path):
    """The pages over a bulletin of invented months that `anna` has built."""
    await load_past(fresh, 1, size=0.1)
    bulletin, access, app = open_platform(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    return bulletin, access, app


async def sign_in(access, app, name, kind="operator"):
    """Return a client with the session of a person."""
    from starlette.requests import Request

    scope = {
        "type": "http",
        "app": app,
        "headers": [],
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "scheme": "http",
        "server": ("test", 80),
    }
    answer = await access.sign_in(Request(scope), Requester(kind=kind, id=uuid7(), name=name), method="demo")
    name_value = answer.headers["set-cookie"].split(";")[0]
    headers = {"Cookie": name_value, "Accept-Language": "en"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(SecurityHeaders(app)), base_url="http://test", headers=headers, timeout=60
    )


async def post_form(web, page, action, **fields):
    """Post a form with the CSRF token of a page."""
    token = html.fromstring(page.text).xpath("string(//input[@name='_csrf']/@value)")
    return await web.post(action, data={"_csrf": token, **fields})


async def acknowledge_on_page(web):
    """Acknowledge every serious anomaly; return the page afterwards."""
    page = await web.get(f"/operator/bulletin/{LAST}")
    while forms := html.fromstring(page.text).xpath("//form[contains(@action, 'acknowledge')]"):
        fields = {one.get("name"): one.get("value") or "seen" for one in forms[0].xpath(".//input")}
        assert (await web.post(forms[0].get("action"), data=fields)).status_code == 303
        page = await web.get(f"/operator/bulletin/{LAST}")
    return page


async def test_issue_is_public_after_second_person_and_hour(platform):
    bulletin, access, app = platform
    async with await sign_in(access, app, "anna") as anna, await sign_in(access, app, "ben") as ben:
        public = f"/bulletin/{LAST}"
        page = await acknowledge_on_page(anna)
        assert "Another person must approve it" in page.text
        hour = datetime.now(UTC) + timedelta(days=3)
        refused = await post_form(anna, page, APPROVE, hour=f"{hour:%Y-%m-%dT%H:%M}", confirmed=f"{LAST}/1")
        assert refused.status_code == 409
        approved = await confirm(ben, hour)
        assert approved.status_code == 303, re.sub(r"<[^>]+>", " ", approved.text)
        answer = await ben.get(approved.headers["location"])
        assert "This issue is approved" in answer.text
        assert "Approved by ben" in answer.text
        assert (await ben.get(public)).status_code == 404
        await bulletin.release_due(hour - timedelta(hours=3))
        assert (await ben.get(public)).status_code == 404
        await bulletin.release_due(hour + timedelta(hours=1))
        assert (await ben.get(public)).status_code == 200
        answer = await ben.get(approved.headers["location"])
        assert "This issue is public" in answer.text
        assert f'href="{public}"' in answer.text
        assert "ben" in (await ben.get("/operator/bulletin")).text


async def confirm(web, hour):
    """Ask for an approval at an hour, and confirm what the page shows."""
    query = {"hour": f"{hour.astimezone(time_zone()):%Y-%m-%dT%H:%M}"}
    page = await web.get(APPROVE, params=query)
    assert page.status_code == 200, re.sub(r"<[^>]+>", " ", page.text)
    (form,) = html.fromstring(page.text).xpath(f"//form[@action='{APPROVE}']")
    return await web.post(APPROVE, data={one.get("name"): one.get("value") for one in form.xpath(".//input")})


async def test_approval_needs_the_confirmation_of_what_waits(platform, fresh):
    _, access, app = platform
    async with await sign_in(access, app, "ben") as ben:
        page = await acknowledge_on_page(ben)
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}"
        for fields in ({}, {"confirmed": ""}, {"confirmed": f"{LAST}/2"}, {"confirmed": "x y/z /"}):
            refused = await post_form(ben, page, APPROVE, hour=now, **fields)
            assert refused.status_code == 409
            assert "changed meanwhile" in refused.text
        assert {release.state for release in await vintage_store.fetch_releases(fresh.db)} == {"previewed"}
        assert (await ben.get(f"/bulletin/{LAST}")).status_code == 404
        answer = await confirm(ben, datetime.now(UTC) - timedelta(minutes=1))
        assert answer.status_code == 303
        assert (await ben.get(f"/bulletin/{LAST}")).status_code == 200


async def test_confirmation_names_what_where_when_and_that_it_is_final(platform):
    bulletin, access, app = platform
    issue = await bulletin.issue(LAST, including="draft")
    waiting = [*issue.history, issue.vintage]
    shown = sum(cell.value is not None for vintage in waiting for cell in vintage.cells)
    async with await sign_in(access, app, "ben") as ben:
        await acknowledge_on_page(ben)
        page = html.fromstring((await ben.get(APPROVE, params={"hour": "2030-01-02T09:00"})).text)
        text = " ".join(page.xpath("string(//main)").split())
        for part in (
            formatter("en").months(waiting[0].period, LAST),
            f"{formatter('en').number(shown)} figures",
            f"http://test/bulletin/{LAST}",
            f"The national open data portal, {PORTAL}",
            "On 2 January 2030, 09:00. Until then nothing is public.",
            "cannot be taken back. An error can only be corrected by a new version",
            "No figure that is already public changes.",
        ):
            assert part in text
        assert "At once" in (await ben.get(APPROVE, params={"hour": "2020-01-02T09:00"})).text
        assert (await ben.get(APPROVE, params={"hour": "soon"})).status_code == 400


async def test_confirmation_shows_public_figures_that_change(platform, fresh):
    bulletin, access, app = platform
    async with await sign_in(access, app, "ben") as ben:
        await acknowledge_on_page(ben)
        await confirm(ben, datetime.now(UTC) - timedelta(minutes=1))
        before = await vintage_store.fetch_latest(fresh.db, LAST)
        await load_late_deposits(fresh, 40)
        await bulletin.build(LAST, "anna")
        await acknowledge_on_page(ben)
        page = html.fromstring((await ben.get(APPROVE, params={"hour": "2030-01-02T09:00"})).text)
        (total,) = [one.value for one in before.cells if one.series_key == ("documents_deposited", "", "")]
        fmt = formatter("en")
        (row,) = page.xpath("//tbody/tr[th='Documents deposited']")
        cells = [cell.text_content() for cell in row.xpath("td")]
        assert cells == [fmt.month(LAST), fmt.number(total), fmt.number(total + 40), "Events arrived late"]
        assert f"Revised month: {fmt.month(LAST)}, v2" in " ".join(page.xpath("string(//main)").split())


async def test_person_who_built_the_issue_sees_no_confirmation(platform):
    _, access, app = platform
    async with await sign_in(access, app, "anna") as anna:
        await acknowledge_on_page(anna)
        answer = await anna.get(APPROVE, params={"hour": "2030-01-02T09:00"})
        assert answer.status_code == 409
        assert "second person" in answer.text


async def test_month_without_a_vintage_is_not_found(platform):
    _, access, app = platform
    async with await sign_in(access, app, "ben") as ben:
        for month in ("nonsense", "2001-01"):
            place = f"/operator/bulletin/{month}"
            assert (await ben.get(place)).status_code == 404
            assert (await ben.get(f"{place}/approve?hour=2030-01-02T09:00")).status_code == 404
            page = await ben.get(f"/operator/bulletin/{LAST}")
            assert (await post_form(ben, page, f"{place}/approve", hour="2030-01-02T09:00")).status_code == 404


async def test_overdue_issue_is_shown_as_late(fresh, tmp_path):
    await load_past(fresh, 3, size=0.1)
    bulletin, access, app = open_platform(fresh, tmp_path)
    released, late = month_back(3), month_back(2)
    await bulletin.build(released, "anna")
    await acknowledge_all(bulletin, released)
    await bulletin.release(released, "ben")
    name = formatter("en").month(late)
    async with await sign_in(access, app, "ben") as ben:
        assert f"{name} is late: it was due on" in (await ben.get("/operator/bulletin")).text
        (entry,) = html.fromstring((await ben.get("/bulletin/calendar")).text).xpath(f"//li[contains(., '{name}')]")
        assert "Late" in entry.text_content()
        assert "Was due on" in entry.text_content()
        await bulletin.build(late, "anna")
        page = html.fromstring((await ben.get("/operator/bulletin")).text)
        assert f"{name} is late" not in page.text_content()
        (entry,) = page.xpath(f"//li[contains(., '{name}')]")
        assert "Late" in entry.text_content()
        assert "This issue is late: it was due on" in (await ben.get(f"/operator/bulletin/{late}")).text


async def test_only_operators_find_workflow(platform):
    _, access, app = platform
    async with await sign_in(access, app, "carla", kind="practitioner") as carla:
        for path in ("/operator/bulletin", f"/operator/bulletin/{LAST}"):
            assert (await carla.get(path)).status_code == 404
        assert (await carla.post(f"/operator/bulletin/{LAST}/approve", data={})).status_code in (403, 404)
