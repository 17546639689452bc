"""A dose in a browser: the camera reads the pack, the doctor saves, the patient sees it, the record has the document."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from tests.support.demo_server import DemoServer
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.page_tour import DOCTOR, PATIENT, fetch_documents, find_patient_id
from tests.support.printed_pack import draw_pack, write_film
from tests.support.vaccination import GTIN
from tests.support.visitors import Visitor, chromium, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def test_pack_before_the_camera_becomes_a_dose_and_a_document(demo: DemoServer, tmp_path: Path) -> None:
    lot, expires = f"CAM{uuid7().hex[-5:]}".upper(), today() + timedelta(days=250)
    film = tmp_path / "pack.y4m"
    write_film(film, draw_pack(f"(01){GTIN}(17){expires:%y%m%d}(10){lot}(21){uuid7().hex[-10:]}"))
    person = await find_patient_id(demo)
    foreign: list[str] = []
    camera = f"--use-file-for-fake-video-capture={film}"
    async with chromium("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", camera) as browser:
        async with open_visitor(browser, demo.base, "fr", viewport=NARROW) as doctor:
            doctor.page.on("request", lambda request: foreign.append(request.url))
            await doctor.sign_in(DOCTOR)
            await doctor.open(f"/patients/{person}")
            await doctor.page.locator(f"main a[href='/patients/{person}/vaccinations']").click()
            await check_page(doctor)
            await doctor.link("Give a vaccine").click()
            await doctor.button("Use the camera").click()
            await doctor.page.get_by_text(doctor.translate("Pack read: %(name)s", name="Boostrix Polio")).wait_for()
            await check_page(doctor)
            assert await doctor.page.locator("[name=lot]").input_value() == lot
            assert await doctor.page.locator("[name=expires_on]").input_value() == expires.isoformat()
            await doctor.page.locator("[name=site]").select_option("LA")
            if await doctor.page.locator("[name=reason]").count():
                await doctor.page.locator("[name=reason]").fill("Discuté avec le patient")
            await doctor.button("Given: save").click()
            await doctor.page.get_by_text(doctor.translate("The vaccination has been saved.")).wait_for()
            await check_page(doctor)
        assert [url for url in foreign if not url.startswith((demo.base, "data:", "blob:"))] == []
        async with open_visitor(browser, demo.base, "de", viewport=NARROW) as patient:
            await patient.sign_in(PATIENT)
            await patient.open("/vaccinations")
            assert lot in await patient.text()
            await check_page(patient)
    await expect_in_record(demo, person, lot)


async def expect_in_record(demo: DemoServer, person: str, lot: str) -> None:
    """Wait until the vaccination history in the record holds the lot, as data and as PDF."""
    async with demo.http(PATIENT) as http, asyncio.timeout(60):
        while True:
            documents = [
                one for one in await fetch_documents(demo, person) if one["type"]["coding"][0]["code"] == "11369-6"
            ]
            contents = [one["content"][0]["attachment"] for one in documents if one["status"] == "current"]
            bundles = [one["url"] for one in contents if one["contentType"] == "application/fhir+json"]
            texts = [(await http.get(url)).text for url in bundles]
            if any(lot in text for text in texts) and any(one["contentType"] == "application/pdf" for one in contents):
                return
            await asyncio.sleep(0.5)


async def test_typing_scanner_is_understood_with_its_separator(demo: DemoServer) -> None:
    person = await find_patient_id(demo)
    async with chromium() as browser, open_visitor(browser, demo.base, "en") as doctor:
        await doctor.sign_in(DOCTOR)
        await doctor.open(f"/patients/{person}/vaccinations/scan")
        await doctor.page.locator("#f-code").focus()
        await doctor.page.keyboard.type(f"01{GTIN}1730123110A21B")
        await doctor.page.keyboard.press("Control+]")
        await doctor.page.keyboard.type("21C21D")
        await doctor.page.keyboard.press("Enter")
        await doctor.page.locator("[name=lot]").wait_for()
        assert await doctor.page.locator("[name=lot]").input_value() == "A21B"
        assert await doctor.page.locator("[name=serial]").input_value() == "C21D"
        assert browser_errors(doctor) == []
