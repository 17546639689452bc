"""The pages of the patient summary in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, PATIENT, find_patient_id, find_tour_faults

DISEASES = frozenset({"Flu"})
"""Words of documents that are texts of the portal as well."""
pytestmark = [pytest.mark.browser, pytest.mark.tour]


async def test_pages_of_the_summary_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    own, of_patient = ["/summary", "/summary?q=xyzzy"], f"/patients/{await find_patient_id(demo)}/summary"
    assert await find_tour_faults(demo, browser, PATIENT, own, DISEASES) == []
    assert await find_tour_faults(demo, browser, DOCTOR, [of_patient], DISEASES) == []
