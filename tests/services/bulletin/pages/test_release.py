"""The operator's pages: two persons, acknowledged anomalies, nothing public before its hour."""

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
from tests.support.bulletin_journal import (
    LAST,
    load_past,
    open_bulletin,
)


@pytest.fixture
async def platform(fresh, tmp_path):
    """The pages over a bulletin of two invented months that `anna` has built."""
    await load_past(fresh, 2)
    bulletin = open_bulletin(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    access = Access(fresh.db, fresh, Directory(fresh.db, fresh, "warn"), base_url="http://test")
    app = Starlette(
        routes=group_routes(page_routes(fresh.db, bulletin, access, "http://test", tmp_path / "files")),
        exception_handlers=HANDLERS,
    )
    app.state.sessions, app.state.secure = access.sessions, False
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
    answer = await access.sign_in(Request(scope), Requester(kind=kind, id=uuid7(), name=name), method="test")
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
        refused = await post_form(anna, page, f"/operator/bulletin/{LAST}/approve", hour=f"{hour:%Y-%m-%dT%H:%M}")
        assert refused.status_code == 409
        approved = await post_form(
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


async def test_only_operators_find_workflow(platform):
    _, access, app = platform
    async with await sign_in(access, app, "carla", kind="practitioner") as carla:
        for path in ("/operator/bulletin", f"/operator/bulletin/{LAST}"):
            assert (await carla.get(path)).status_code == 404
        assert (await carla.post(f"/operator/bulletin/{LAST}/approve", data={})).status_code in (403, 404)
