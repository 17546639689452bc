"""The pages of software vendors in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from esante.services.conformance.demo import vendor_key_path
from tests.support.demo_server import DemoServer
from tests.support.page_tour import find_tour_faults
from tests.support.visitors import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]


async def open_first(vendor: Visitor, place: str, inside: str) -> None:
    await vendor.open(place)
    await vendor.page.locator(f"main li.entry a[href^='{inside}']").first.click()
    await vendor.page.wait_for_url(f"**{inside}*")


async def open_product(vendor: Visitor) -> None:
    await open_first(vendor, "/vendor/products", "/vendor/products/")


async def open_run(vendor: Visitor) -> None:
    await open_first(vendor, "/vendor/runs", "/vendor/runs/0")


async def test_pages_of_vendor_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    key = vendor_key_path(demo.data).read_text()

    async def sign_in(vendor: Visitor) -> None:
        await vendor.open("/vendors")
        await vendor.page.locator("[name=key]").fill(key)
        await vendor.button("Sign in").click()
        await vendor.page.wait_for_url(f"{vendor.base}/")

    software = ("/vendor/products", "/vendor/products?q=xyzzy", open_product)
    runs = (
        "/vendor/runs",
        "/vendor/runs?q=xyzzy",
        open_run,
        "/vendor/runs/new?kit=dsp",
        "/vendor/runs/new?kit=ra-pid",
        "/vendor/runs/new?kit=smart",
        "/vendor/runs/new?kit=eu-api",
    )
    steps = [sign_in, *software, *runs, "/vendor/account", "/help"]
    assert await find_tour_faults(demo, browser, None, steps) == []
