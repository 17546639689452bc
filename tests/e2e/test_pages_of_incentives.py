"""The pages of incentives in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from esante.core.time_zone import today
from esante.services.incentives.schemes.quarter import Quarter
from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, OPERATOR, find_tour_faults

pytestmark = [pytest.mark.browser, pytest.mark.tour]

PLACE = "/operator/incentives"


async def test_pages_of_incentives_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    own = ["/", "/digital-practice", "/digital-practice?q=xyzzy"]
    assert await find_tour_faults(demo, browser, DOCTOR, own) == []
    quarter = f"{PLACE}/quarters/{Quarter.of(today()).before.before}"
    steps = [PLACE, quarter, f"{quarter}?q=xyzzy", f"{quarter}?show=orders", f"{quarter}?show=signals"]
    steps += [f"{PLACE}/payments", f"{PLACE}/claims", f"{PLACE}/claims?q=xyzzy", f"{PLACE}/appeals"]
    steps += [f"{PLACE}/appeals?show=answered", f"{PLACE}/budgets", f"{PLACE}/budgets?q=xyzzy"]
    assert await find_tour_faults(demo, browser, OPERATOR, steps) == []
    assert await find_tour_faults(demo, browser, None, ["/incentives", "/incentives?q=xyzzy"]) == []
