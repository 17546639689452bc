"""The bulletin in the browser: public pages in four languages, and the release of an issue by two people."""

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
from tests.support.bulletin_journal import LAST, NOW, load_past, month_back
from tests.support.page_checks import AXE, browser_errors, emulate_color_scheme, find_page_faults, untranslated_texts
from tests.support.processes import Server, run_esante
from tests.support.small_world import SmallWorld, open_test_platform, sign_in
from tests.support.visitors import PHONE, Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

PUBLIC = month_back(2)
"""The newest public month; the one after it is built and awaits release."""
MONTHS = 3
OLGA, OTTO = "Olga Operator", "Otto Operator"
COUNT = "documents_deposited"


@dataclass
class PublicBulletin:
    """A server with a bulletin of some synthetic months, and two operators with sessions."""

    server: Server
    world: SmallWorld

    async def sign_in_visitor(self, visitor: Visitor, name: str) -> None:
        """Sign a visitor in by a cookie."""
        cookie = {"name": COOKIE, "value": self.world.cookies[name], "url": visitor.base}
        await visitor.page.context.add_cookies([cookie])  # type: ignore[list-item]


@pytest.fixture(scope="module")
async def public_bulletin(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PublicBulletin]:
    """Released months, and one that Olga has built."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make install")
    world = SmallWorld(tmp_path_factory.mktemp("bulletin") / "data")
    async with open_test_platform(world.data) as platform:
        await load_past(platform.journal, MONTHS, size=0.15)
        await release(platform, PUBLIC)
        await platform[Bulletin].build(LAST, OLGA)
        for name in (OLGA, OTTO):
            await sign_in(platform, world, name, Requester(kind="operator", id=uuid7(), name=name))
    server = Server(world.data).start()
    yield PublicBulletin(server, world)
    server.stop()
    shutil.rmtree(world.data, ignore_errors=True)


async def release(platform: Platform, month: str) -> None:
    """Release a month, and those before it."""
    await platform[Bulletin].build(month, OLGA)
    await platform[Bulletin].preview(month, OTTO)
    for found in await platform[Bulletin].fetch_anomalies(month):
        await platform[Bulletin].acknowledge(found.period, found.code, found.subject, OTTO, "seen")
    await platform[Bulletin].release(month, OTTO, history=True)


def parse_csv(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV text."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def values_by_key(rows: list[dict[str, str]]) -> dict[tuple[str, str, str], str]:
    """Return the values of CSV rows by month, breakdown and category."""
    return {(row["period"], row["breakdown"], row["category"]): row["value"] for row in rows}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_page_chart_table_and_download_show_the_same_numbers(
    public_bulletin: PublicBulletin, browser: Browser, language: str, tmp_path: Path
) -> None:
    w = formatter(language)
    async with open_visitor(browser, public_bulletin.server.base, language) as reader:
        requested_urls: list[str] = []
        reader.page.on("request", lambda request: requested_urls.append(request.url))
        await reader.open("/bulletin")
        await reader.page.locator(f"a[href='/bulletin/{PUBLIC}']").first.click()
        await reader.page.wait_for_url(f"**/bulletin/{PUBLIC}*")
        assert await reader.page.locator("html").get_attribute("lang") == language

        link = reader.page.locator(f"a[download][href$='cahier-esante-{PUBLIC}-v1.csv']")
        rows = parse_csv((await download_file(reader, link, tmp_path)).read_text("utf-8-sig"))
        shown = {(row["indicator"], row["breakdown"], row["category"]): row for row in rows}
        total = int(shown[COUNT, "", ""]["value"])

        plot = reader.page.locator(f"#{COUNT}")
        mark = plot.locator(".p-mark").last
        await mark.locator(".p-hit").hover(force=True)
        tooltip = mark.locator(".p-value")
        assert await tooltip.evaluate("one => getComputedStyle(one).opacity") == "1"
        assert (await tooltip.text_content() or "").endswith(w.number(total))
        await plot.locator("summary").click()
        assert w.number(total) in await plot.locator("table").inner_text()

        await reader.open(f"/bulletin/query?indicator={COUNT}")
        await reader.page.locator("#q-breakdown").select_option("origin")
        await reader.page.locator("form.card button").click()
        await reader.page.wait_for_url("**breakdown=origin*")
        queried = parse_csv(
            (await download_file(reader, reader.page.locator("a[download]"), tmp_path)).read_text("utf-8-sig")
        )
        values = values_by_key(queried)
        assert {key[2]: value for key, value in values.items() if key[0] == PUBLIC} == {
            place[2]: row["value"] for place, row in shown.items() if place[:2] == (COUNT, "origin")
        }
        table = reader.page.locator(".section table.sheet")
        table_cells = await table.locator("tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.querySelectorAll('td a')].map(one => [one.getAttribute('href'), one.innerText]))"
        )
        shown_values = {tuple(href.split("/")[2:]): text for row in table_cells for href, text in row}
        for (period, breakdown, category), value in values.items():
            assert shown_values[period, COUNT, breakdown, category] == (w.number(int(value)) if value else "*")
        assert browser_errors(reader) == []
        assert all(url.startswith(public_bulletin.server.base) for url in requested_urls)


async def acknowledge_all(operator: Visitor) -> None:
    """Acknowledge every anomaly with a note."""
    while left := await operator.button("Mark as checked").count():
        await operator.page.locator("[name=note]").first.fill("The test has looked into it")
        await operator.button("Mark as checked").first.click()
        await expect(operator.button("Mark as checked")).to_have_count(left - 1)


async def test_release_needs_a_second_person_and_stays_hidden_until_its_hour(
    public_bulletin: PublicBulletin, browser: Browser
) -> None:
    base, place = public_bulletin.server.base, f"/operator/bulletin/{LAST}"
    async with (
        open_visitor(browser, base, "en") as olga,
        open_visitor(browser, base, "en") as otto,
        open_visitor(browser, base, "fr", viewport=PHONE) as public,
    ):
        await public_bulletin.sign_in_visitor(olga, OLGA)
        await public_bulletin.sign_in_visitor(otto, OTTO)
        await public.open(place)
        assert "/signin" in public.page.url
        await olga.open("/operator/bulletin")
        await olga.page.get_by_role("link", name=f"{formatter('en').month(LAST)}, v1").click()
        await olga.page.get_by_text("Another person must approve it").wait_for()
        assert not await olga.button("Approve for publication").count()
        await acknowledge_all(olga)
        token = await olga.page.locator("[name=_csrf]").first.input_value()
        hour = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
        forged = await olga.page.request.post(f"{base}{place}/approve", form={"_csrf": token, "hour": hour})
        assert forged.status == 409

        await otto.open(place)
        await otto.page.locator("[name=hour]").fill(hour)
        await otto.button("Continue…").click()
        await otto.page.get_by_text("What is published cannot be taken back").wait_for()
        await otto.page.get_by_text(f"/bulletin/{LAST}, with the issue as PDF").wait_for()
        await otto.button("Approve for publication").click()
        await otto.page.get_by_text("This issue is approved").wait_for()
        for path in (f"/bulletin/{LAST}", f"/bulletin/{LAST}/{COUNT}", f"/bulletin/files/cahier-esante-{LAST}-v1.csv"):
            assert (await public.page.request.get(f"{base}{path}")).status == 404
        assert LAST not in await (await public.page.request.get(f"{base}/api/bulletin/figures")).text()
        assert f"/bulletin/{LAST}" not in await (await public.page.request.get(f"{base}/bulletin/feed.atom")).text()


async def test_server_publishes_an_approved_issue_at_its_hour(
    public_bulletin: PublicBulletin, browser: Browser
) -> None:
    base, running = public_bulletin.server.base, month_back(0)
    data = ("--data", public_bulletin.world.data)
    run_esante("bulletin", "build", running, "--by", OLGA, "--out", public_bulletin.world.data.parent / "draft", *data)
    draft = (public_bulletin.world.data.parent / "draft" / f"cahier-esante-{running}-v1.csv").read_text("utf-8-sig")
    async with open_visitor(browser, base, "de") as otto, open_visitor(browser, base, "de") as public:
        await public_bulletin.sign_in_visitor(otto, OTTO)
        await otto.open(f"/operator/bulletin/{running}")
        await acknowledge_all(otto)
        await otto.page.locator("[name=hour]").fill("2026-01-01T09:00")
        await otto.button("Continue…").click()
        await otto.page.get_by_text(otto.translate("At once, as soon as you confirm.")).wait_for()
        assert await find_page_faults(otto, "confirmation", untranslated_texts("de")) == []
        await otto.button("Publish now").click()
        await otto.page.get_by_text(otto.translate("This issue is public")).wait_for()
        await public.open(f"/bulletin/{running}")
        link = public.page.locator(f"a[download][href$='{running}-v1.csv']")
        file = await download_file(public, link, public_bulletin.world.data.parent)
        assert file.read_text("utf-8-sig") == draft


async def test_pages_of_a_full_bulletin_are_accessible_and_translated(
    public_bulletin: PublicBulletin, browser: Browser
) -> None:
    full = [f"/{PUBLIC}", f"/query?indicator={COUNT}&breakdown=category&turn=yes", "/objectives"]
    other = ["", "/calendar", "/changes", "/dictionary", f"/{PUBLIC}/{COUNT}", f"/{PUBLIC}/{COUNT}/origin/hospital"]
    workflow = ["/operator/bulletin", f"/operator/bulletin/{LAST}"]
    found: list[str] = []
    for language in ("lb", "fr", "de"):
        public = [f"/bulletin{path}" for path in full + (other if language == "lb" else [])]
        async with open_visitor(browser, public_bulletin.server.base, language) as visitor:
            await emulate_color_scheme(visitor)
            await public_bulletin.sign_in_visitor(visitor, OTTO)
            for path in public + workflow:
                await visitor.open(path)
                found += await find_page_faults(visitor, f"{language} {path}", untranslated_texts(language))
            found += [f"{language}: {said}" for said in browser_errors(visitor)]
    assert found == []


def test_months_of_these_tests_are_consecutive() -> None:
    assert PUBLIC < LAST < month_back(0) == f"{NOW:%Y-%m}"
    assert {one.id for one in declared_indicators().indicator} >= {COUNT}
