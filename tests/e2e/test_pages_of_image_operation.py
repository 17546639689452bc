"""The pages of doses, and those of operators about images, in several languages on phone and desktop."""

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.dicom import related
from tests.support.dicom_mutator import hostile_files
from tests.support.page_tour import HOSPITAL, OPERATOR, PATIENT, find_tour_faults
from tests.support.visitors import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

RECEIVED, COPIES = "/operator/images", "/operator/images/copies"


async def propose(operator: Visitor) -> None:
    """Propose a copy."""
    await operator.open(COPIES)
    for name, value in (("purpose", "Training of a model"), ("permit", "HDAB-2026-17"), ("studies", "1.2.3.4")):
        await operator.page.fill(f"[name={name}]", value)
    await operator.page.locator("form[action='/operator/images/copies'] button.act").last.click()
    await operator.page.locator("li.entry").first.wait_for()


async def test_operators_pages_of_images_have_no_fault(demo: DemoServer, browser: Browser) -> None:
    body, headers = related([hostile_files()["absurd dimensions"][0]])
    async with demo.http(HOSPITAL) as hospital:
        answer = await hospital.post("/dicomweb/studies", content=body, headers=headers)
        assert answer.status_code == 409
    steps = [RECEIVED, f"{RECEIVED}?q=nothing-like-it", f"{RECEIVED}?show=settled", COPIES, propose, f"{COPIES}?q=zz"]
    data = frozenset({"Training of a model", "bytes of pixels declared", "present"})
    assert await find_tour_faults(demo, browser, OPERATOR, steps, data) == []


async def test_page_of_doses_has_no_fault(demo: DemoServer, browser: Browser) -> None:
    assert await find_tour_faults(demo, browser, PATIENT, ["/images/dose", "/images/dose?q=zz"]) == []
