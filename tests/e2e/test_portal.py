"""The portal without JavaScript, and the choice of its language."""

import pytest
from playwright.async_api import Browser

from esante.core.web import translator
from tests.support.demo_server import DemoServer
from tests.support.page_tour import ANOTHER, OTHER, PATIENT, issue_code
from tests.support.visitors import Visitor, open_visitor

pytestmark = pytest.mark.browser


async def test_main_functions_work_without_javascript(demo: DemoServer, browser: Browser) -> None:
    context = await browser.new_context(locale="fr", java_script_enabled=False)
    visitor = Visitor(demo.base, await context.new_page(), "fr")
    await visitor.sign_in(ANOTHER)
    await issue_code(visitor)
    code = await visitor.page.locator(".code").inner_text()
    await visitor.page.locator("details.menu").last.locator("summary").click()
    await visitor.button("Sign out").click()
    await visitor.page.wait_for_url("**/signin")
    await visitor.sign_in(OTHER)
    await visitor.open("/patients")
    await visitor.page.locator("[name=code]").fill(code)
    await visitor.button("Open the record").click()
    await visitor.page.locator(".banner").wait_for()
    assert ANOTHER in await visitor.text()
    await visitor.page.locator("details.menu").last.locator("summary").click()
    await visitor.button("Sign out").click()
    await visitor.page.wait_for_url("**/signin")
    await visitor.sign_in(ANOTHER)
    await visitor.open("/takeout")
    await visitor.button("Prepare my data").click()
    ready = visitor.link("Download everything")
    while not await ready.count():
        await visitor.link("Check progress").click()
    await visitor.button("Delete this file").click()
    await visitor.button("Prepare my data").wait_for()
    await context.close()


async def test_language_chosen_in_the_page_is_kept(demo: DemoServer, browser: Browser) -> None:
    async with open_visitor(browser, demo.base, "fr") as visitor:
        await visitor.sign_in(PATIENT)
        await visitor.open("/sharing")
        luxembourgish = visitor.page.get_by_role("link", name="Lëtzebuergesch", include_hidden=True)
        await visitor.page.locator("details.menu").filter(has=luxembourgish).locator("summary").click()
        await luxembourgish.click()
        await visitor.page.wait_for_url("**/sharing")
        assert await visitor.page.locator("html").get_attribute("lang") == "lb"
        assert translator("lb").gettext("Give your doctor a presence code") in await visitor.text()
        await visitor.open("/log")
        assert await visitor.page.locator("html").get_attribute("lang") == "lb"
        assert visitor.console_errors == []
