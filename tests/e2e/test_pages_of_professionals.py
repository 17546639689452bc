"""The pages of health professionals and organisations in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_tour import (
    DOCTOR,
    HOSPITAL,
    PATIENT,
    authorization_url,
    deposit_every_format,
    document_titles,
    find_patient_id,
    find_tour_faults,
)
from tests.support.submissions import LETTER, build_pdf
from tests.support.visitors import Visitor, open_visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]


async def test_pages_of_professional_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    person = await find_patient_id(demo)
    documents = await deposit_every_format(demo, person)
    async with open_visitor(browser, demo.base, "en") as patient:
        await ask_for_document(patient)
    home = f"/patients/{person}"
    steps = [
        *(
            "/",
            "/patients",
            "/workplace",
            "/patients?order=name",
            "/patients?q=xyzzy",
            home,
            f"{home}?view=type",
            f"{home}/deposit",
            "/emergency",
        ),
        *(f"{home}/apps", authorization_url("patient/*.rs"), authorization_url("patient/*.rs", q="xyzzy"), "/apps"),
        authorization_url("patient/*.rs user/*.rs online_access", patient=person),
        *("/tasks", "/tasks?done=1", "/tasks?q=xyzzy", open_task),
        enter_wrong_code,
        deposit_broken_document,
        check_document_of_somebody_else,
        keep_file_while_details_change,
        *(f"{home}/documents/{key}" for key in documents.values()),
    ]
    assert await find_tour_faults(demo, browser, DOCTOR, steps, await document_titles(demo, person)) == []


async def test_home_of_organisation_is_translated_fits_and_is_accessible(demo: DemoServer, browser: Browser) -> None:
    assert await find_tour_faults(demo, browser, HOSPITAL, ["/"]) == []


async def ask_for_document(patient: Visitor) -> None:
    """Ask the doctor for a document, and wait until it stands in the list."""
    await patient.sign_in(PATIENT)
    await patient.open("/record/requests")
    await patient.page.locator("[name=depositor]").select_option(label=DOCTOR)
    await patient.page.locator("[name=kind]").select_option("imaging_report")
    await patient.button("Ask for the document").click()
    await patient.page.locator("#asked ~ ul").wait_for()


async def open_task(doctor: Visitor) -> None:
    await doctor.open("/tasks")
    await doctor.page.locator("main a[href^='/tasks/']").first.click()
    await doctor.page.locator("dl.facts").wait_for()


async def enter_wrong_code(doctor: Visitor) -> None:
    await doctor.open("/patients")
    await doctor.page.locator("[name=code]").fill("nonsense")
    await doctor.button("Open the record").click()
    await doctor.page.locator(".error").wait_for()


async def deposit_broken_document(doctor: Visitor) -> None:
    await doctor.open("/patients")
    await doctor.link(PATIENT, translated=False).click()
    await doctor.link("Add a document").click()
    file = {"name": "empty.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 broken"}
    await doctor.page.locator("[name=type]").select_option(LETTER)
    await doctor.page.locator("[name=file]").set_input_files(file)  # type: ignore[arg-type]
    await doctor.button("Check the document").click()
    await doctor.page.locator(".callout.danger").wait_for()


async def check_document_of_somebody_else(doctor: Visitor) -> None:
    file = {"name": "a.pdf", "mimeType": "application/pdf", "buffer": build_pdf("Jean Dupont, né le 3.4.1961")}
    await doctor.page.locator("[name=file]").set_input_files(file)  # type: ignore[arg-type]
    await doctor.button("Check the document").click()
    await doctor.page.locator("[name=reason]").wait_for()


async def keep_file_while_details_change(doctor: Visitor) -> None:
    await doctor.button("Change the details").click()
    await doctor.page.locator("[name=kept]").wait_for(state="attached")
