"""The pages of the health network in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, OPERATOR, Step, find_tour_faults
from tests.support.visitors import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

PLACE, OWN = "/operator/network", "/network"


def open_site(place: str, words: str, part: str) -> Step:
    """Return the step that opens a part of the first site that a list shows."""

    async def open_it(visitor: Visitor) -> None:
        await visitor.open(f"{place}{words}")
        await visitor.page.locator("main tbody th a, main li.entry a").first.click()
        await visitor.page.wait_for_url("**/sites/*-*")
        await visitor.page.goto(f"{visitor.page.url.partition('?')[0]}{part}")

    open_it.__name__ = f"{place} {part}"
    return open_it


PARTS = ("", "?show=figures&span=month", "?show=reach", "?show=contract")


async def test_pages_of_the_network_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    reach = "from=practice/doctor&to=laboratory&service=laboratory-results"
    steps: list[Step] = [PLACE, f"{PLACE}?span=week", f"{PLACE}/requests", f"{PLACE}/requests?q=xyzzy"]
    steps += [f"{PLACE}/sites", f"{PLACE}/sites?q=xyzzy", f"{PLACE}/anomalies", f"{PLACE}/anomalies?show=ended"]
    steps += [f"{PLACE}/policy", f"{PLACE}/policy?{reach}", f"{PLACE}/policy?from=nobody&to=x&service=record"]
    steps += [f"{PLACE}/rollouts", f"{PLACE}/works", f"{PLACE}/sla", f"{PLACE}/sla?q=xyzzy"]
    steps += [open_site(f"{PLACE}/sites", "?state=active", part) for part in (*PARTS, "/quarantine")]
    assert await find_tour_faults(demo, browser, OPERATOR, steps) == []
    own: list[Step] = [OWN, f"{OWN}/request"]
    own += [open_site(OWN, "", part) for part in PARTS]
    assert await find_tour_faults(demo, browser, DOCTOR, own) == []
