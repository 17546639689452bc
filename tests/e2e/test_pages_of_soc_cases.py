"""The pages of security cases in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, OPERATOR, Step, find_tour_faults
from tests.support.visitors import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

PLACE, OWN = "/operator/soc", "/security"
QUEUE = f"{PLACE}/alerts"


async def open_first_alert(visitor: Visitor) -> None:
    await visitor.open(QUEUE)
    await visitor.page.locator("section[aria-labelledby=list] li.entry a").first.click()
    await visitor.page.wait_for_url("**/alerts/*")


def open_part(place: str, words: str, part: str) -> Step:
    """Return the step that opens a part of the first case that a search finds."""

    async def open_it(visitor: Visitor) -> None:
        await visitor.open(f"{place}/cases?q={words}")
        await visitor.page.locator("main li.entry a").first.click()
        await visitor.page.wait_for_url("**/cases/*-*")
        await visitor.page.goto(f"{visitor.page.url.partition('?')[0]}{part}")

    open_it.__name__ = f"{place} {part}"
    return open_it


PARTS = ("", "?show=steps", "?show=evidence&check=yes", "?show=timeline", "/duties")


async def test_pages_of_cases_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    steps: list[Step] = [QUEUE, f"{QUEUE}?q=xyzzy", f"{QUEUE}?show=suppressed&size=300", open_first_alert]
    steps += [f"{PLACE}/cases", f"{PLACE}/cases?show=closed", f"{PLACE}/cases?q=xyzzy", f"{PLACE}/duties"]
    steps += [f"{PLACE}/suppressions", f"{PLACE}/suppressions?q=xyzzy", f"{PLACE}/playbooks"]
    steps += [f"{QUEUE}?show=dismissed", f"{PLACE}/duties?q=xyzzy", f"{PLACE}/exercises", f"{PLACE}/exercises?q=xyzzy"]
    notifications = ("/duties/incident_notification", "/duties/early_warning")
    steps += [open_part(PLACE, "Shadow", part) for part in (*PARTS, "?show=response", *notifications)]
    assert await find_tour_faults(demo, browser, OPERATOR, steps) == []
    own: list[Step] = ["/", OWN, f"{OWN}/alerts", f"{OWN}/cases", f"{OWN}/cases?show=closed", f"{OWN}/duties"]
    own += [open_part(OWN, "malicious", part) for part in PARTS]
    assert await find_tour_faults(demo, browser, DOCTOR, own) == []
