"""From a connected doctor to an answered appeal, in a browser: the quarter is decided, confirmed, paid, appealed."""

import asyncio

import pytest
from playwright.async_api import Browser

from esante.core.time_zone import today
from esante.services.incentives.schemes.quarter import Quarter
from tests.e2e.test_vaccination_story import check_page
from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, OPERATOR
from tests.support.visitors import Visitor, open_visitor

pytestmark = pytest.mark.browser

SECOND = "Oskar Operator"
PLACE = "/operator/incentives"
NARROW = {"width": 360, "height": 740}


async def decide(operator: Visitor, quarter: str) -> None:
    """Let a quarter be decided, and wait until it is worked out."""
    await operator.open(PLACE)
    await operator.page.locator("[name=quarter]").first.select_option(quarter)
    await operator.button("Decide this quarter").click()
    waits = operator.page.get_by_text(operator.translate("Another operator has to confirm this decision."))
    await operator.reload_until(f"{PLACE}/quarters/{quarter}", waits)
    await check_page(operator)


async def confirm(operator: Visitor, quarter: str) -> None:
    await operator.open(f"{PLACE}/quarters/{quarter}")
    await operator.open_details("Confirm the decision")
    await operator.button("Confirm and make the orders").click()
    await operator.page.get_by_text(
        operator.translate("The quarter is confirmed. The orders of payment are made.")
    ).wait_for()


async def pay(operator: Visitor) -> None:
    await operator.open(f"{PLACE}/payments")
    await operator.open_details("Make the file for the bank")
    await operator.button("Make the file").click()
    await operator.page.get_by_text(
        operator.translate("The file has been made. Download it and send it to the bank.")
    ).wait_for()
    async with operator.page.expect_download() as download:
        await operator.page.locator("a[download]").first.click()
    assert b"pain.001.001.09" in await asyncio.to_thread((await (await download.value).path()).read_bytes)


async def appeal(doctor: Visitor, quarter: str) -> None:
    """Appeal against the decision of a quarter."""
    await doctor.open(f"/digital-practice?q={quarter}")
    await check_page(doctor)
    entry = doctor.page.locator("li.entry", has=doctor.page.locator("details.confirm")).first
    await entry.locator("summary").click()
    await entry.locator("textarea").fill("Es fehlen zwei Honorarnoten vom August.")
    await doctor.button("Send the appeal").click()
    await doctor.page.get_by_text(doctor.translate("Your appeal has been sent.")).wait_for()


async def answer(operator: Visitor) -> None:
    await operator.open(f"{PLACE}/appeals")
    form = operator.page.locator("section.card", has_text="Honorarnoten vom August").locator("form")
    await form.locator("[name=outcome]").select_option("upheld")
    await form.locator("[name=amount]").fill("0,70")
    await form.locator("[name=answer]").fill("Sie haben recht: Zwei Honorarnoten fehlten.")
    await form.locator("button").click()
    await operator.page.get_by_text(operator.translate("The answer has been sent.")).wait_for()


async def test_quarter_is_decided_paid_appealed_and_answered(demo: DemoServer, browser: Browser) -> None:
    quarter = str(Quarter.of(today()).before)
    async with (
        open_visitor(browser, demo.base, "fr") as first,
        open_visitor(browser, demo.base, "en") as second,
        open_visitor(browser, demo.base, "de", viewport=NARROW) as doctor,
    ):
        await first.sign_in(OPERATOR)
        await decide(first, quarter)
        await second.sign_in(SECOND)
        await confirm(second, quarter)
        await pay(second)
        await doctor.sign_in(DOCTOR)
        await appeal(doctor, quarter)
        await answer(first)
        await doctor.open(f"/digital-practice?q={quarter}")
        shown = await doctor.text()
        assert "Sie haben recht: Zwei Honorarnoten fehlten." in shown and "0,70" in shown
        assert doctor.translate("Sent to the bank") in shown
        await check_page(doctor)
