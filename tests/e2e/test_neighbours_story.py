"""Two platforms as two countries: a doctor sees the summary of a patient from abroad, a pharmacist dispenses, in a browser.

With ESANTE_TEST_PICTURES=FOLDER the pages are kept as pictures.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.neighbours import Neighbours, neighbouring_demos
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.processes import run_esante
from tests.support.visitors import DESKTOP, Visitor, open_visitor

pytestmark = [pytest.mark.browser, pytest.mark.long]

PLACE = "/from-abroad"
NARROW = {"width": 360, "height": 740}
DOCTOR, PATIENT = "Dr Paul Exempel", "Anna Musterfra"
PERSONS = 20


@pytest.fixture(scope="module")
def countries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    with neighbouring_demos(tmp_path_factory.mktemp("countries"), PERSONS) as found:
        yield found


def identifier_of(data: Path, name: str) -> str:
    people = json.loads(run_esante("people", "--data", data).stdout)
    return str(next(one for one in people if one["name"] == name)["identifiers"][0]["value"])


async def check_page(visitor: Visitor, name: str) -> None:
    """Check a page on both widths, and keep its pictures where they are asked for."""
    assert await axe_violations(visitor.page) == []
    for size in (DESKTOP, NARROW):
        await visitor.page.set_viewport_size(size)  # type: ignore[arg-type]
        assert await overflowing_elements(visitor.page) == "", name
        if folder := os.environ.get("ESANTE_TEST_PICTURES"):
            path = Path(folder) / f"{name}-{visitor.language}-{size['width']}.png"
            await visitor.page.screenshot(path=path, full_page=True)
    await visitor.page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    if not os.environ.get("ESANTE_TEST_PICTURES"):  # whose making our content policy reports
        assert browser_errors(visitor) == []


async def sign_in(visitor: Visitor, name: str) -> None:
    await visitor.open(f"/signin?q={name.rpartition(' ')[2]}")
    await visitor.page.get_by_role("button", name=name).first.click()
    await visitor.page.wait_for_url(f"{visitor.base}/")


async def find_patient(visitor: Visitor, identifier: str) -> None:
    """Find a patient of the other country, and confirm identity and treatment."""
    await visitor.open(PLACE)
    await visitor.page.locator(f"main a[href^='{PLACE}/search']").first.click()
    await visitor.page.locator("input[name='field-0']").fill("12")
    await visitor.button("Search in this country").click()
    await visitor.page.locator(".field.wrong").wait_for()
    await check_page(visitor, "abroad-mask")
    await visitor.page.locator("input[name='field-0']").fill(identifier)
    await visitor.button("Search in this country").click()
    await visitor.page.locator("input[name='identity']").wait_for()
    await check_page(visitor, "abroad-identity")
    await visitor.page.locator("input[name='identity']").check()
    await visitor.button("Confirm").click()
    await visitor.page.locator("form[action$='/list']").first.wait_for()


async def open_first(visitor: Visitor, class_code: str) -> None:
    """List the documents of a class, and open the newest."""
    listed = visitor.page.locator(f"section[aria-labelledby='list-{class_code}']")
    await listed.locator("form[action$='/list'] button").click()
    await listed.locator("ul.rows form button").first.wait_for()
    await check_page(visitor, f"abroad-list-{class_code}")
    await listed.locator("ul.rows form button").first.click()
    await visitor.page.wait_for_url("**/documents/*")


@pytest.mark.parametrize("language", ["de"])
async def test_doctor_sees_the_summary_of_a_patient_from_abroad_beside_its_original(
    browser: Browser, countries: Neighbours, language: str
) -> None:
    identifier = identifier_of(countries.second_data, PATIENT)
    async with open_visitor(browser, countries.first, language) as doctor:
        await sign_in(doctor, DOCTOR)
        await doctor.open(PLACE)
        await check_page(doctor, "abroad-empty")
        await find_patient(doctor, identifier)
        await open_first(doctor, "60591-5")
        text = await doctor.text()
        assert PATIENT in text and doctor.translate("Medicines") in text
        assert doctor.translate("Original").casefold() in text.casefold()
        await check_page(doctor, "abroad-summary")
        await doctor.link("Back to the patient").click()
        await doctor.open_details("End the encounter")
        await doctor.button("End and delete what was received").click()
        await doctor.page.wait_for_url(f"**{PLACE}?ended=1")
        assert PATIENT not in await doctor.text()
        await check_page(doctor, "abroad-ended")


@pytest.mark.parametrize("language", ["fr"])
async def test_pharmacist_dispenses_a_prescription_from_abroad_once(
    browser: Browser, countries: Neighbours, language: str
) -> None:
    """The pharmacist works in the second country, the patient is of the first."""
    identifier = identifier_of(countries.data, PATIENT)
    async with open_visitor(browser, countries.second, language) as pharmacist:
        await pharmacist.open("/signin?q=pharma")
        await (
            pharmacist.page.locator("li")
            .filter(has=pharmacist.page.get_by_text("Pharmacie"))
            .first.get_by_role("button")
            .click()
        )
        await pharmacist.page.wait_for_url(f"{pharmacist.base}/")
        await find_patient(pharmacist, identifier)
        place = pharmacist.page.url.removeprefix(pharmacist.base)
        await open_first(pharmacist, "57833-6")
        await check_page(pharmacist, "abroad-prescription")
        await pharmacist.button("Dispense and inform the country").first.click()
        await pharmacist.page.get_by_text(pharmacist.translate("Received by the country")).wait_for()
        await check_page(pharmacist, "abroad-dispensed")
        listed = pharmacist.page.locator("section[aria-labelledby='list-57833-6']")
        await listed.locator("form[action$='/list'] button").click()
        await listed.get_by_text(pharmacist.translate("Cannot be dispensed")).wait_for()
        await pharmacist.open(f"{PLACE}?q={PATIENT.rpartition(' ')[2]}")
        assert PATIENT in await pharmacist.text()
        await pharmacist.open(place)
        await pharmacist.open_details("Discard")
        await pharmacist.button("Discard this dispensation").click()
        await pharmacist.page.get_by_text(pharmacist.translate("Discarded"), exact=True).wait_for()
        await check_page(pharmacist, "abroad-discarded")
