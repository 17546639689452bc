"""In a browser: a vendor registers, tests software, mends a fault, applies, two operators review, the list shows it."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.broken_twins import at, drop_header
from tests.support.demo_server import DemoServer
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.page_tour import HOSPITAL, OPERATOR
from tests.support.served_twin import ServedTwin, serve_twin
from tests.support.visitors import Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
SECOND = "Oskar Operator"
NAME = "Éditeur d’essai"


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def register(vendor: Visitor) -> str:
    """Register as a vendor, and sign in; return the access key."""
    await vendor.open("/")
    await vendor.link("For software vendors").click()
    for name, text in (("name", NAME), ("contact", "Vera Vendor"), ("email", "vera@vendor.example")):
        await vendor.page.locator(f"[name={name}]").fill(text)
    await check_page(vendor)
    await vendor.button("Register").click()
    key = await vendor.page.locator(".code-card .mono").inner_text()
    await check_page(vendor)
    await vendor.link("Sign in with the key").click()
    await vendor.page.locator("[name=key]").fill(key)
    await vendor.button("Sign in").click()
    await vendor.page.wait_for_url(f"{vendor.base}/")
    await check_page(vendor)
    return key


async def register_software(vendor: Visitor) -> None:
    await vendor.open("/vendor/products")
    await vendor.page.locator("[name=name]").fill("Cabinet Essai")
    await vendor.button("Register").click()
    await vendor.page.locator("[name=version]").fill("7.1")
    await vendor.page.locator("[name=profiles]").first.check()
    await vendor.button("Register").click()
    await vendor.page.get_by_text(vendor.translate("Version %(number)s", number="7.1")).wait_for()
    await check_page(vendor)


async def run_test(vendor: Visitor, demo: DemoServer, twin: ServedTwin) -> None:
    """Start the test of the shared record, and wait for its report."""
    patient = "|".join(demo.person(HOSPITAL)["patients"][0].values())
    await vendor.page.locator("[name=target]").fill(f"{twin.base}/fhir")
    await vendor.page.locator("[name=patient]").fill(patient)
    await vendor.page.locator("[name=token]").fill(demo.token(HOSPITAL))
    await vendor.button("Start the test").click()
    await vendor.link("Run again").wait_for(timeout=60_000)
    await check_page(vendor)


async def test_vendor_mends_a_fault_and_earns_the_label(demo: DemoServer, browser: Browser, tmp_path: Path) -> None:
    change = at("GET", "_count=1", drop_header("cache-control"))
    async with (
        serve_twin(demo.base, change) as twin,
        open_visitor(browser, demo.base, "fr", viewport=NARROW) as vendor,
        open_visitor(browser, demo.base, "de") as first,
        open_visitor(browser, demo.base, "lb") as second,
        open_visitor(browser, demo.base, "en", viewport=NARROW) as anybody,
    ):
        await register(vendor)
        await register_software(vendor)
        await vendor.open("/vendor/runs/new?kit=dsp")
        await vendor.page.locator("[name=target]").fill(f"{twin.base}/fhir")
        await vendor.button("Start the test").click()
        await vendor.page.get_by_text(vendor.translate("Your account has not been accepted yet.")).wait_for()
        await accept(first)
        await vendor.open("/vendor/runs/new?kit=dsp")
        await run_test(vendor, demo, twin)
        text = await vendor.text()
        assert vendor.translate("Not passed") in text and "Cache-Control is" in text and "Send no-store." in text
        assert demo.token(HOSPITAL) not in await vendor.page.content()
        twin.broken = False
        await vendor.link("Run again").click()
        assert await vendor.page.locator("[name=target]").input_value() == f"{twin.base}/fhir"
        assert await vendor.page.locator("[name=token]").input_value() == ""
        await run_test(vendor, demo, twin)
        assert vendor.translate("Passed") in await vendor.text()
        await check_files(vendor, tmp_path)
        shared = await share(vendor)
        await apply(vendor)
        for operator, name in ((first, OPERATOR), (second, SECOND)):
            await approve(operator, name)
        await anybody.open("/software/labelled?q=essai")
        assert "Cabinet Essai 7.1" in await anybody.text()
        await check_page(anybody)
        await anybody.open(shared)
        await anybody.button("Show the report").click()
        await anybody.page.locator(".entry-title", has_text="DSP-28").wait_for()
        await check_page(anybody)
        await vendor.open("/")
        assert vendor.translate("Labelled") in await vendor.text()
        await check_page(vendor)


async def accept(operator: Visitor) -> None:
    await operator.sign_in(OPERATOR)
    await operator.open("/operator/vendors?q=essai")
    await operator.page.locator("main li.entry a").first.click()
    await operator.open_details("Accept…")
    await check_page(operator)
    await operator.button("Accept the vendor").click()
    await operator.page.get_by_text(operator.translate("Accepted"), exact=True).wait_for()


async def check_files(vendor: Visitor, folder: Path) -> None:
    for format_, begin in (("pdf", b"%PDF-"), ("json", b"{"), ("jws", b"eyJ")):
        link = vendor.page.locator(f"a[href$='report.{format_}']")
        assert (await download_file(vendor, link, folder)).read_bytes().startswith(begin)


async def share(vendor: Visitor) -> str:
    """Make a link to the report; return its path."""
    await vendor.button("Make a link").click()
    address = await vendor.page.locator(".callout .mono").inner_text()
    await check_page(vendor)
    assert address.startswith(f"{vendor.base}/software/report#")
    return address.removeprefix(vendor.base)


async def apply(vendor: Visitor) -> None:
    await vendor.open("/vendor/products")
    await vendor.page.locator("main li.entry a").first.click()
    await vendor.open_details("Apply for the label…")
    await check_page(vendor)
    await vendor.button("Apply").click()
    await vendor.page.get_by_text(vendor.translate("In review"), exact=True).wait_for()


async def approve(operator: Visitor, name: str) -> None:
    await operator.sign_in(name)
    await operator.open("/operator/labels")
    await operator.page.locator("main li.entry a").first.click()
    await operator.open_details("Approve…")
    await check_page(operator)
    await operator.button("Approve the application").click()
    await operator.page.get_by_text(operator.translate("Approved"), exact=True).first.wait_for()
