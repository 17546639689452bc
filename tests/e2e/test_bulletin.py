"""The bulletin in the browser: the public pages in four languages, and the release by two persons."""

import csv
import io
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from esante.contract import Platform
from esante.core.storage import uuid7
from esante.core.web import COOKIE, LANGUAGES
from esante.identity.access import Requester
from esante.services.bulletin import Bulletin
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import formatter
from tests.e2e.browsers import PHONE, Visitor, saved, visiting
from tests.e2e.processes import Server, esante
from tests.e2e.test_pages import AXE, faults_of, in_its_colours, said_by_browser, untranslated
from tests.e2e.worlds import World, opened, sign_in
from tests.support.bulletin_journal import LAST, NOW, load_past, month_back

pytestmark = pytest.mark.browser

PUBLIC = month_back(2)
"""The newest public month; the one after it is built and waits for its release."""
MONTHS = 3
OLGA, OTTO = "Olga Operator", "Otto Operator"
COUNT = "documents_deposited"


@dataclass
class Published:
    """A server over a bulletin of some invented months, and two signed-in operators."""

    server: Server
    world: World

    async def sign_in(self, visitor: Visitor, name: str) -> None:
        """Give a visitor the session of a person."""
        cookie = {"name": COOKIE, "value": self.world.cookies[name], "url": visitor.base}
        await visitor.page.context.add_cookies([cookie])  # type: ignore[list-item]


@pytest.fixture(scope="module")
async def published(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Published]:
    """Released months, and one that Olga has built."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make install")
    world = World(tmp_path_factory.mktemp("bulletin") / "data")
    async with opened(world.data) as platform:
        await load_past(platform.journal, MONTHS, size=0.15)
        await release(platform, PUBLIC)
        await platform[Bulletin].build(LAST, OLGA)
        for name in (OLGA, OTTO):
            await sign_in(platform, world, name, Requester(kind="operator", id=uuid7(), name=name))
    server = Server(world.data, ESANTE_DEMO="1").start()
    yield Published(server, world)
    server.stop()
    shutil.rmtree(world.data, ignore_errors=True)


async def release(platform: Platform, month: str) -> None:
    """Release a month and those before it."""
    await platform[Bulletin].build(month, OLGA)
    await platform[Bulletin].preview(month, OTTO)
    for anomaly in await platform[Bulletin].fetch_anomalies(month):
        await platform[Bulletin].acknowledge(anomaly.period, anomaly.code, anomaly.subject, OTTO, "seen")
    await platform[Bulletin].release(month, OTTO, history=True)


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def values_by_category(rows: list[dict[str, str]]) -> dict[tuple[str, str, str], str]:
    """Return the values of a CSV by month, breakdown and category."""
    return {(row["period"], row["breakdown"], row["category"]): row["value"] for row in rows}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_public_pages_and_downloads_have_the_same_numbers(
    published: Published, browser: Browser, language: str, tmp_path: Path
) -> None:
    fmt = formatter(language)
    async with visiting(browser, published.server.base, language) as visitor:
        urls: list[str] = []
        visitor.page.on("request", lambda request: urls.append(request.url))
        await visitor.goes_to("/bulletin")
        await visitor.page.locator(f"a[href='/bulletin/{PUBLIC}']").first.click()
        await visitor.page.wait_for_url(f"**/bulletin/{PUBLIC}*")
        assert await visitor.page.locator("html").get_attribute("lang") == language

        link = visitor.page.locator(f"a[download][href$='cahier-esante-{PUBLIC}-v1.csv']")
        rows = rows_of((await saved(visitor, link, tmp_path)).read_text("utf-8-sig"))
        shown = {(row["indicator"], row["breakdown"], row["category"]): row for row in rows}
        total = int(shown[COUNT, "", ""]["value"])

        plot = visitor.page.locator(f"#{COUNT}")
        mark = plot.locator(".p-mark").last
        await mark.locator(".p-hit").hover(force=True)
        pointed = mark.locator(".p-value")
        assert await pointed.evaluate("one => getComputedStyle(one).opacity") == "1"
        assert (await pointed.text_content() or "").endswith(fmt.number(total))
        await plot.locator("summary").click()
        assert fmt.number(total) in await plot.locator("table").inner_text()

        await visitor.goes_to(f"/bulletin/query?indicator={COUNT}")
        await visitor.page.locator("#q-breakdown").select_option("origin")
        await visitor.page.locator("form.card button").click()
        await visitor.page.wait_for_url("**breakdown=origin*")
        query_rows = rows_of(
            (await saved(visitor, visitor.page.locator("a[download]"), tmp_path)).read_text("utf-8-sig")
        )
        values = values_by_category(query_rows)
        assert {key[2]: value for key, value in values.items() if key[0] == PUBLIC} == {
            place[2]: row["value"] for place, row in shown.items() if place[:2] == (COUNT, "origin")
        }
        table = visitor.page.locator(".section table.sheet")
        cells = await table.locator("tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('td a')].map(one => [one.getAttribute('href'), one.innerText]))"
        )
        table_texts = {tuple(href.split("/")[2:]): text for row in cells for href, text in row}
        for (period, breakdown, category), value in values.items():
            assert table_texts[period, COUNT, breakdown, category] == (fmt.number(int(value)) if value else "*")
        assert said_by_browser(visitor) == []
        assert all(url.startswith(published.server.base) for url in urls)


async def acknowledge_all(operator: Visitor) -> None:
    """Acknowledge every anomaly on the page."""
    while left := await operator.button("Answer for it").count():
        await operator.page.locator("[name=note]").first.fill("The test has looked into it")
        await operator.button("Answer for it").first.click()
        await expect(operator.button("Answer for it")).to_have_count(left - 1)


async def test_issue_approved_by_second_person_waits_for_its_hour(published: Published, browser: Browser) -> None:
    base, place = published.server.base, f"/operator/bulletin/{LAST}"
    async with (
        visiting(browser, base, "en") as olga,
        visiting(browser, base, "en") as otto,
        visiting(browser, base, "fr", viewport=PHONE) as public,
    ):
        await published.sign_in(olga, OLGA)
        await published.sign_in(otto, OTTO)
        await public.goes_to(place)
        assert "/signin" in public.page.url
        await olga.goes_to("/operator/bulletin")
        await olga.page.get_by_role("link", name=f"{formatter('en').month(LAST)}, v1").click()
        await olga.page.get_by_text("another person must approve it").wait_for()
        assert not await olga.button("Approve the release").count()
        await acknowledge_all(olga)
        token = await olga.page.locator("[name=_csrf]").first.input_value()
        hour = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        forged = await olga.page.request.post(f"{base}{place}/approve", form={"_csrf": token, "hour": hour})
        assert forged.status == 409

        await otto.goes_to(place)
        await otto.page.locator("[name=hour]").fill(hour)
        await otto.button("Approve the release").click()
        await otto.page.get_by_text("Approved, waits for its hour").first.wait_for()
        for path in (f"/bulletin/{LAST}", f"/bulletin/{LAST}/{COUNT}", f"/bulletin/files/cahier-esante-{LAST}-v1.csv"):
            assert (await public.page.request.get(f"{base}{path}")).status == 404
        assert LAST not in await (await public.page.request.get(f"{base}/api/bulletin/figures")).text()
        assert f"/bulletin/{LAST}" not in await (await public.page.request.get(f"{base}/bulletin/feed.atom")).text()


async def test_server_releases_issue_in_its_hour(published: Published, browser: Browser) -> None:
    base, running = published.server.base, month_back(0)
    data = ("--data", published.world.data)
    esante("bulletin", "build", running, "--by", OLGA, "--out", published.world.data.parent / "draft", *data)
    draft = (published.world.data.parent / "draft" / f"cahier-esante-{running}-v1.csv").read_text("utf-8-sig")
    async with visiting(browser, base, "de") as otto, visiting(browser, base, "de") as public:
        await published.sign_in(otto, OTTO)
        await otto.goes_to(f"/operator/bulletin/{running}")
        await acknowledge_all(otto)
        await otto.page.locator("[name=hour]").fill("2026-01-01T09:00")
        await otto.button("Approve the release").click()
        await otto.page.get_by_text(otto.says("Published"), exact=True).first.wait_for()
        await public.goes_to(f"/bulletin/{running}")
        link = public.page.locator(f"a[download][href$='{running}-v1.csv']")
        file = await saved(public, link, published.world.data.parent)
        assert file.read_text("utf-8-sig") == draft


async def test_full_bulletin_is_accessible_and_translated(published: Published, browser: Browser) -> None:
    full = [f"/{PUBLIC}", f"/query?indicator={COUNT}&breakdown=category&turn=yes", "/objectives"]
    other = ["", "/calendar", "/changes", "/dictionary", f"/{PUBLIC}/{COUNT}", f"/{PUBLIC}/{COUNT}/origin/hospital"]
    workflow = ["/operator/bulletin", f"/operator/bulletin/{LAST}"]
    found: list[str] = []
    for language in ("lb", "fr", "de"):
        public = [f"/bulletin{path}" for path in full + (other if language == "lb" else [])]
        async with visiting(browser, published.server.base, language) as visitor:
            await in_its_colours(visitor)
            await published.sign_in(visitor, OTTO)
            for path in public + workflow:
                await visitor.goes_to(path)
                found += await faults_of(visitor, f"{language} {path}", untranslated(language))
            found += [f"{language}: {said}" for said in said_by_browser(visitor)]
    assert found == []


def test_months_are_consecutive() -> None:
    assert PUBLIC < LAST < month_back(0) == f"{NOW:%Y-%m}"
    assert {one.id for one in declared_indicators().indicator} >= {COUNT}
