"""A doctor adds a document: a wrong file, the wrong person's document, then the right one, on a phone."""

from datetime import date

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.page_tour import DOCTOR, PATIENT, fetch_documents, find_patient_id
from tests.support.submissions import LETTER, build_pdf
from tests.support.visitors import Visitor, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
WORD_FILE = b"PK\x03\x04" + bytes(3_000)
REASON = "Le laboratoire a confondu les en-têtes"


@pytest.mark.parametrize("language", ["fr", "de"])
async def test_doctor_is_stopped_at_the_wrong_file_and_at_the_wrong_person(
    demo: DemoServer, browser: Browser, language: str
) -> None:
    person = await find_patient_id(demo)
    before = len(await fetch_documents(demo, person))
    title = f"Genou {language}"
    async with open_visitor(browser, demo.base, language, viewport=NARROW) as doctor:
        await doctor.sign_in(DOCTOR)
        await doctor.open(f"/patients/{person}/deposit")
        await fill_form(doctor, title)
        await choose_file(doctor, "lettre.docx", WORD_FILE)
        await doctor.button("Check the document").click()
        await doctor.page.get_by_text(
            doctor.translate("Word, Excel and similar files, and archives, are not accepted.")
        ).first.wait_for()
        await check_page(doctor)
        assert await doctor.page.locator("[name=title]").input_value() == title
        assert await doctor.page.locator("[name=type]").input_value() == LETTER

        await choose_file(doctor, "dupont.pdf", build_pdf("Monsieur Jean Dupont, né le 3.4.1961"))
        await doctor.button("Check the document").click()
        await doctor.page.get_by_text(doctor.translate("This document seems to be about someone else")).wait_for()
        await check_page(doctor)
        assert "Jean Dupont" in await doctor.text() and PATIENT in await doctor.text()
        await doctor.button("Cancel").click()
        await doctor.page.wait_for_url(f"{doctor.base}/patients/{person}")
        assert len(await fetch_documents(demo, person)) == before

        await doctor.open(f"/patients/{person}/deposit")
        await fill_form(doctor, title)
        await choose_file(doctor, "genou.pdf", build_pdf(f"{PATIENT}, {title}"))
        await doctor.button("Check the document").click()
        await doctor.page.locator("article img").first.wait_for()
        await check_page(doctor)
        await doctor.button(doctor.translate("Add to the record of %(name)s", name=PATIENT), translated=False).click()
        await doctor.page.get_by_text(doctor.translate("Document added")).first.wait_for()
        assert browser_errors(doctor) == []
    documents = await fetch_documents(demo, person)
    assert len(documents) == before + 1
    assert title in [one["content"][0]["attachment"]["title"] for one in documents]


async def test_confirmed_person_is_seen_by_the_patient(demo: DemoServer, browser: Browser) -> None:
    person = await find_patient_id(demo)
    born = date(1961, 4, 3).isoformat()
    async with (
        open_visitor(browser, demo.base, "fr", viewport=NARROW) as doctor,
        open_visitor(browser, demo.base, "fr", viewport=NARROW) as patient,
    ):
        await doctor.sign_in(DOCTOR)
        await doctor.open(f"/patients/{person}/deposit")
        await fill_form(doctor, "Analyses")
        await choose_file(doctor, "dupont.pdf", build_pdf(f"Patient: Jean Dupont, date de naissance {born}"))
        await doctor.button("Check the document").click()
        await doctor.page.locator("[name=reason]").fill(REASON)
        await doctor.button("It is the right person").click()
        await doctor.link("Open document").click()
        await doctor.page.get_by_text(REASON).first.wait_for()
        await check_page(doctor)
        await patient.sign_in(PATIENT)
        await patient.open("/log")
        await patient.page.get_by_text(REASON).first.wait_for()
        await check_page(patient)


async def fill_form(doctor: Visitor, title: str) -> None:
    await doctor.page.locator("[name=type]").select_option(LETTER)
    await doctor.page.locator("[name=title]").fill(title)


async def choose_file(doctor: Visitor, name: str, content: bytes) -> None:
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    await doctor.page.locator("[name=file]").set_input_files(file)  # type: ignore[arg-type]


async def check_page(visitor: Visitor) -> None:
    """Check that the page fits a phone and is accessible."""
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
