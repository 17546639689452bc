"""The pages of the vaccination card in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from esante.services.vaccination.products.catalogue import catalogue
from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, PATIENT, find_patient_id, find_tour_faults
from tests.support.visitors import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

PROOF = "/vaccinations/proof"
NAMES = frozenset(product.name for product in catalogue().products.values())


async def open_first_dose(visitor: Visitor) -> None:
    await visitor.page.locator("ol.timeline a").first.click()
    await visitor.page.locator("dl.facts").wait_for()


async def scan(visitor: Visitor) -> None:
    await visitor.page.fill("#f-code", "01095212345000491720020010RECALL01")
    await visitor.page.press("#f-code", "Enter")
    await visitor.page.locator("[name=lot]").wait_for()


async def make_card(visitor: Visitor) -> None:
    boxes = visitor.page.locator("[name=dose]")
    for number in range(await boxes.count()):
        await boxes.nth(number).set_checked(number < 3)
    await visitor.button("Make the card").click()
    await visitor.page.locator("svg.qr-code").wait_for()


async def make_link(visitor: Visitor) -> None:
    await visitor.page.fill("[name=label]", "XYZ")
    await visitor.button("Make the link").click()
    await visitor.page.locator("svg.qr-code").wait_for()


async def open_card_of_child(visitor: Visitor) -> None:
    await visitor.open("/vaccinations")
    await visitor.page.locator("#represented a").first.click()
    await visitor.page.wait_for_url("**/represented/*/vaccinations")


async def test_pages_of_the_card_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    card = f"/patients/{await find_patient_id(demo)}/vaccinations"
    steps = [card, open_first_dose, f"{card}/scan", scan, f"{card}/new", f"{card}/copy", f"{card}/refusal"]
    assert await find_tour_faults(demo, browser, DOCTOR, steps, NAMES) == []
    own = ["/vaccinations", open_first_dose, "/vaccinations?q=xyzzy"]
    own += [PROOF, make_card, PROOF, make_link, f"{PROOF}/shared", open_card_of_child, open_first_dose]
    assert await find_tour_faults(demo, browser, PATIENT, own, NAMES) == []
    assert await find_tour_faults(demo, browser, None, ["/verify-card"], NAMES) == []
