"""In a browser: a doctor finds the receipt of a laboratory's result and keeps it; two operators join another network.

The receipt that was downloaded is checked by the command. With ESANTE_TEST_PICTURES=FOLDER the pages are kept as pictures.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.async_api import Browser

from esante.contract import Platform
from esante.identity.directory import Directory
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.declaration import healthnet
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.sites.service import Sites
from esante.settings import Settings
from tests.support.federations import OtherOperator, terms
from tests.support.healthnet_messages import MessageWorld
from tests.support.healthnet_world import HealthnetWorld
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.served_platform import prepare_months, serve_platform, sign_in
from tests.support.visitors import Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
MESSAGES, FEDERATIONS = "/network-messages", "/operator/healthnet/federations"


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Platform, Any]]:
    """Serve a platform with a laboratory, and the doctor's own site."""
    async with serve_platform(Settings.from_environ(data=folder / "data", demo=False)) as platform:
        await prepare_months(platform)
        world = HealthnetWorld(platform.db, platform.journal)
        world.directory = platform[Directory]
        world.sites, world.certificates = platform[Sites], platform[Certificates]
        exchange: Any = MessageWorld(world)
        exchange.messages = platform[Messages]
        await exchange.open()
        exchange.doctor, exchange.own = await exchange.doctor_site()
        yield platform, exchange


async def check_page(visitor: Visitor, name: str) -> None:
    """Check a page on both widths, and keep its pictures where they are asked for."""
    assert await axe_violations(visitor.page) == []
    before = visitor.page.viewport_size
    for size in (before, NARROW):
        await visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        assert await overflowing_elements(visitor.page) == "", name
        if folder := os.environ.get("ESANTE_TEST_PICTURES"):
            path = Path(folder) / f"{name}-{visitor.language}-{size['width'] if size else 0}.png"
            await visitor.page.screenshot(path=path, full_page=True)
    await visitor.page.set_viewport_size(before)  # type: ignore[arg-type]
    if not os.environ.get("ESANTE_TEST_PICTURES"):  # whose making our content policy reports
        assert browser_errors(visitor) == []


async def see(visitor: Visitor, text: str, **values: object) -> None:
    """Wait until a text is shown."""
    await visitor.page.get_by_text(visitor.translate(text, **values)).first.wait_for()


@pytest.mark.parametrize("language", ["de", pytest.param("fr", marks=pytest.mark.long)])
async def test_doctor_keeps_the_receipt_of_a_result_that_the_command_confirms(
    browser: Browser, tmp_path: Path, language: str
) -> None:
    async with served(tmp_path) as (platform, exchange):
        base = f"http://127.0.0.1:{platform.settings.port}"
        async with open_visitor(browser, base, language) as visitor:
            await sign_in(visitor, platform, exchange.doctor)
            await visitor.open(MESSAGES)
            await see(visitor, "No messages yet")
            await check_page(visitor, "messages-empty")
            message_id, _, _ = await exchange.send(recipient=exchange.own)
            refused_id, _, _ = await exchange.send(recipient=exchange.own)
            await exchange.send(sender=exchange.own, recipient=exchange.laboratory)
            await exchange.acknowledge(message_id, "read", site=exchange.own)
            await exchange.acknowledge(refused_id, "refused", "unknown-patient", site=exchange.own)
            await visitor.open(MESSAGES)
            await see(visitor, "The patient is not known there.")
            await visitor.page.locator("details summary").last.click()
            await check_page(visitor, "messages")
            while (await platform.journal.state())["waiting"]:
                await asyncio.sleep(0.1)
            link = visitor.page.locator(f"a[href='{MESSAGES}/{message_id}/read.json']")
            file = await download_file(visitor, link, tmp_path)
            await visitor.open(f"{MESSAGES}?q=zz")
            await see(visitor, "Nothing found")
            await check_page(visitor, "messages-none")
    key = str(platform.journal.signer.verifier)
    done = CliRunner().invoke(healthnet, ["receipt", "verify", str(file), "--key", key, "--message", str(message_id)])
    assert done.exit_code == 0 and "read at" in done.output and "is in the tree of" in done.output, done.output


@pytest.mark.parametrize("language", ["de", pytest.param("fr", marks=pytest.mark.long)])
async def test_two_operators_join_another_network_and_end_it(browser: Browser, tmp_path: Path, language: str) -> None:
    luxith = OtherOperator(tmp_path)
    agreed = terms(uses=frozenset({"laboratory-results"}), offers=frozenset())
    async with served(tmp_path) as (platform, exchange):
        base = f"http://127.0.0.1:{platform.settings.port}"
        async with open_visitor(browser, base, language) as ann, open_visitor(browser, base, language) as ben:
            await sign_in(ann, platform, exchange.world.ann)
            await sign_in(ben, platform, exchange.world.ben)
            await ann.open(FEDERATIONS)
            await see(ann, "There are no federations")
            await check_page(ann, "federations-empty")
            for key, text in (("nonsense", "This is no key of another network."), (luxith.key, "What was agreed")):
                await ann.page.fill("[name=document]", luxith.document(agreed=agreed))
                await ann.page.fill("[name=peer_key]", key)
                await ann.page.locator(f"form[action='{FEDERATIONS}/proposals'] button.button").last.click()
                await see(ann, text)
                await check_page(ann, f"federation-{'wrong' if key == 'nonsense' else 'proposed'}")
            await see(ann, "Somebody else has to decide what you proposed.")
            await ben.open(FEDERATIONS)
            await check_page(ben, "federations")
            await ben.page.get_by_role("link", name="luxith").click()
            await check_page(ben, "federation-decision")
            await ben.page.locator("form[action$='/decision'] button").first.click()
            await see(ben, "The agreement is in force.")
            await check_page(ben, "federation-active")
            file = await download_file(ben, ben.page.locator("a[download]"), tmp_path)
            assert file.read_text("utf-8").startswith("esante-healthnet-agreement/1\n")
            await ben.page.locator("details.confirm summary").click()
            await ben.page.fill("#f-end", "The hospitals have left.")
            await ben.page.locator("details.confirm button").click()
            await see(ben, "The agreement has ended. The network is cut off.")
            await check_page(ben, "federation-ended")
