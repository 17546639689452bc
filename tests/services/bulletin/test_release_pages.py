"""The release in the portal: two people, what is unusual answered for, nothing public before its hour."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from lxml import html
from starlette.applications import Starlette

from esante.core.storage import uuid7
from esante.core.web import HANDLERS, SecurityHeaders, group_routes
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.bulletin.routes import page_routes
from tests.services.bulletin.conftest import LAST, bulletin_over, with_past


@pytest.fixture
async def platform(fresh, tmp_path):
    """The pages over a bulletin of two invented months that `anna` has built."""
    await with_past(fresh, 2)
    bulletin = bulletin_over(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    access = Access(fresh.db, fresh, Directory(fresh.db, fresh, "warn"), base_url="http://test")
    app = Starlette(
        routes=group_routes(page_routes(fresh.db, bulletin, access, "http://test", tmp_path / "files")),
        exception_handlers=HANDLERS,
    )
    app.state.sessions, app.state.secure = access.sessions, False
    return bulletin, access, app


async def signed_in(access, app, name, kind="operator"):
    """A browser in which somebody is signed in."""
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
    answer = await access.sign_in(Request(scope), Requester(kind=kind, id=uuid7(), name=name), method="test")
    name_value = answer.headers["set-cookie"].split(";")[0]
    headers = {"Cookie": name_value, "Accept-Language": "en"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(SecurityHeaders(app)), base_url="http://test", headers=headers, timeout=60
    )


async def post(web, page, action, **fields):
    token = html.fromstring(page.text).xpath("string(//input[@name='_csrf']/@value)")
    return await web.post(action, data={"_csrf": token, **fields})


async def answered(web):
    """Answer for everything that is serious; returns the page then."""
    page = await web.get(f"/operator/bulletin/{LAST}")
    while forms := html.fromstring(page.text).xpath("//form[contains(@action, 'acknowledge')]"):
        given = {one.get("name"): one.get("value") or "seen" for one in forms[0].xpath(".//input")}
        assert (await web.post(forms[0].get("action"), data=given)).status_code == 303
        page = await web.get(f"/operator/bulletin/{LAST}")
    return page


async def test_two_people_release_an_issue_and_the_public_sees_it_in_its_hour(platform):
    bulletin, access, app = platform
    async with await signed_in(access, app, "anna") as anna, await signed_in(access, app, "ben") as ben:
        public = f"/bulletin/{LAST}"
        page = await answered(anna)
        assert "another person must approve it" in page.text
        hour = datetime.now(UTC) + timedelta(days=3)
        refused = await post(anna, page, f"/operator/bulletin/{LAST}/approve", hour=f"{hour:%Y-%m-%dT%H:%M}")
        assert refused.status_code == 409
        approved = await post(
            ben,
            await ben.get(f"/operator/bulletin/{LAST}"),
            f"/operator/bulletin/{LAST}/approve",
            hour=f"{hour:%Y-%m-%dT%H:%M}",
        )
        assert approved.status_code == 303, re.sub(r"<[^>]+>", " ", approved.text)
        assert (await ben.get(public)).status_code == 404
        await bulletin.release_due(hour - timedelta(hours=3))
        assert (await ben.get(public)).status_code == 404
        await bulletin.release_due(hour + timedelta(hours=1))
        assert (await ben.get(public)).status_code == 200
        assert "ben" in (await ben.get("/operator/bulletin")).text


async def test_only_operators_find_the_workflow(platform):
    _, access, app = platform
    async with await signed_in(access, app, "carla", kind="practitioner") as carla:
        for path in ("/operator/bulletin", f"/operator/bulletin/{LAST}"):
            assert (await carla.get(path)).status_code == 404
        assert (await carla.post(f"/operator/bulletin/{LAST}/approve", data={})).status_code in (403, 404)
