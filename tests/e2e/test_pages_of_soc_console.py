"""The pages of the console, of hunts and of detections in several languages, on phone and desktop."""

from uuid import uuid4

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, OPERATOR, Step, find_tour_faults
from tests.support.visitors import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

PLACE, OWN = "/operator/soc", "/security"
BOTH = ("timeline", "timeline?q=xyzzy", "events", "events?q=xyzzy&span=all", "hunts", "hunts?q=xyzzy", "hunts/saved")
BOTH += ("advisories", "advisories?q=xyzzy", "sightings", "coverage", "silences", "silences?q=xyzzy", "kept")


async def open_first_member(visitor: Visitor) -> None:
    await visitor.open(f"{PLACE}/members")
    await visitor.page.locator(f"main a[href^='{PLACE}/members/']").last.click()
    await visitor.page.wait_for_url("**/members/*-*")


async def add_a_source(visitor: Visitor) -> None:
    await open_first_member(visitor)
    form = visitor.page.locator("main form[action$='/sources']")
    await visitor.page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
    await form.locator("input[name=name]").fill(f"Router {uuid4()}")
    await form.locator("button").click()
    await visitor.page.wait_for_url("**/sources/*-*")


async def run_a_hunt(visitor: Visitor) -> None:
    await visitor.open(f"{PLACE}/hunts")
    await visitor.page.fill("input[name=q] >> nth=0", "xyzzy")
    await visitor.page.locator("button[value=start]").click()
    await visitor.page.wait_for_url("**/hunts/*-*")


async def test_pages_of_the_console_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    steps: list[Step] = [PLACE, f"{PLACE}?span=week", *(f"{PLACE}/{one}" for one in BOTH)]
    steps += [f"{PLACE}/members", f"{PLACE}/members?q=xyzzy", open_first_member, add_a_source, run_a_hunt]
    steps += [f"{PLACE}/indicators", f"{PLACE}/indicators?q=xyzzy", f"{PLACE}/detections"]
    steps += [f"{PLACE}/watched", f"{PLACE}/watched?q=xyzzy", f"{PLACE}/invented"]
    assert await find_tour_faults(demo, browser, OPERATOR, steps) == []
    own: list[Step] = [f"{OWN}/overview", *(f"{OWN}/{one}" for one in BOTH)]
    assert await find_tour_faults(demo, browser, DOCTOR, own) == []
