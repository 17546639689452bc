"""Images in a browser: a device sends them, a doctor opens the viewer, the patient sees who did, shares and revokes."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.async_api import Browser, expect

from tests.support.demo_server import DemoServer
from tests.support.imaging_devices import phantom_study, store_study
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.page_tour import DOCTOR, HOSPITAL, PATIENT
from tests.support.visitors import Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
RECIPIENT = "Dr Ana Extranjera, Madrid"


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def test_images_from_the_device_to_the_doctor_the_patient_and_a_doctor_abroad(
    demo: DemoServer, browser: Browser, tmp_path: Path
) -> None:
    files = phantom_study(demo.person(PATIENT)["identifiers"][0]["value"])
    study = await store_study(demo, HOSPITAL, DOCTOR, files, tmp_path)
    await open_in_viewer(demo, browser, study)
    async with open_visitor(browser, demo.base, "fr") as patient:
        await patient.sign_in(PATIENT)
        link, pin = await look_and_share(patient, study, tmp_path)
        async with open_visitor(browser, demo.base, "de", viewport=NARROW) as recipient:
            await open_link(recipient, link, pin)
            await revoke(patient, study)
            await recipient.page.reload()
            await recipient.button("Show the images").wait_for()
            await check_page(recipient)


async def open_in_viewer(demo: DemoServer, browser: Browser, study: str) -> None:
    """Let the doctor open the study: the first picture comes before the headers, and nothing from elsewhere."""
    requests: list[str] = []
    async with open_visitor(browser, demo.base, "de") as doctor:
        await doctor.sign_in(DOCTOR)
        doctor.page.on("requestfinished", lambda request: requests.append(request.url))
        await doctor.open(f"/images/{study}/viewer")
        await doctor.page.locator("#esante-first").wait_for(state="detached", timeout=60_000)
        await expect(doctor.page.locator("canvas.cornerstone-canvas").first).to_be_visible()
        await expect(doctor.page.get_by_text("Serie 2").first).to_be_visible()
        assert await doctor.page.get_by_text(doctor.translate("Review quality, not for diagnosis")).is_visible()
        assert browser_errors(doctor) == []
    assert [url for url in requests if not url.startswith((demo.base, "data:", "blob:"))] == []
    first = next(place for place, url in enumerate(requests) if "/frames/1/rendered" in url)
    assert first < next(place for place, url in enumerate(requests) if url.endswith("/metadata"))
    assert any(url.endswith("/frames/1") for url in requests)


async def look_and_share(patient: Visitor, study: str, folder: Path) -> tuple[str, str]:
    """Let the patient look at the study, see who opened which series, download it, and make a link."""
    await patient.open("/images")
    await patient.page.locator(f"a[href='/images/{study}']").first.click()
    await patient.page.wait_for_url(f"**/images/{study}")
    await check_page(patient)
    text = await patient.text()
    assert patient.translate("Complete") in text
    opened = await patient.page.locator("section[aria-labelledby=openings] li").all_inner_texts()
    opened = [one for one in opened if not one.startswith(patient.translate("You"))]
    assert {serie for one in opened for serie in ("Serie 1", "Serie 2") if serie in one} == {"Serie 1", "Serie 2"}
    assert all(DOCTOR in one for one in opened)
    file = await download_file(patient, patient.link("Download all images"), folder)
    with ZipFile(file) as archive:
        assert {"DICOMDIR", "INDEX.HTM", "SHA256SUMS.TXT"} < set(archive.namelist())
        archive.extractall(folder / "copy")
    await check_copy(patient, folder / "copy", f"{patient.page.url}/check")
    await patient.open(f"/images/{study}")
    await patient.link("Share with a doctor").click()
    await patient.page.locator("[name=label]").fill("Dr Extranjera")
    assert await patient.page.locator("[name=days]").input_value() == "90"
    await check_page(patient)
    await patient.button("Make the link").click()
    pin = await patient.page.locator(".code").inner_text()
    assert await patient.page.locator("svg.qr-code").is_visible()
    await check_page(patient)
    return await patient.page.locator("[name=address]").input_value(), pin


async def check_copy(patient: Visitor, copy: Path, url: str) -> None:
    """Compare a copy on the page and without the portal: whole, with a changed image, whole again."""
    changed = next(copy.rglob("IM000000"))
    whole = changed.read_bytes()
    for address in (url, (copy / "INDEX.HTM").as_uri()):
        page = patient.page
        await page.goto(address)
        if address == url:
            await check_page(patient)
        for content, words in (
            (whole, "All images are there, and none was changed since it was received."),
            (whole[:-1] + bytes([whole[-1] ^ 1]), "These images are missing, or were changed:"),
            (whole, "All images are there, and none was changed since it was received."),
        ):
            changed.write_bytes(content)
            await page.locator("#check-folder").set_input_files(copy)
            result = page.locator("#check-result")
            await expect(result.locator(".callout-title")).to_have_text(patient.translate(words))
            named = await result.locator("li").all_inner_texts()
            assert named == ([] if content == whole else [changed.relative_to(copy).as_posix()])


async def open_link(recipient: Visitor, link: str, pin: str) -> None:
    """Let a doctor without an account open the link on a telephone, and go through the pictures by keyboard."""
    await recipient.page.goto(link)
    for number in (f"{(int(pin) + 1) % 1_000_000:06d}", pin):
        await check_page(recipient)
        await recipient.page.locator("[name=recipient]").fill(RECIPIENT)
        await recipient.page.locator("[name=pin]").fill(number)
        await recipient.button("Show the images").click()
        if number != pin:
            await recipient.page.get_by_text(recipient.translate("This link and PIN do not open anything")).wait_for()
    picture = recipient.page.locator("#picture")
    await picture.wait_for()
    await check_page(recipient)
    before = await picture.get_attribute("src")
    await recipient.page.locator("#viewer").focus()
    await recipient.page.keyboard.press("End")
    await expect(recipient.page.locator("#picture-place")).to_have_text(
        recipient.translate("Picture %(number)s of %(count)s", number=4, count=4)
    )
    assert await picture.get_attribute("src") != before
    await recipient.page.wait_for_function("document.getElementById('picture').naturalWidth > 0")


async def revoke(patient: Visitor, study: str) -> None:
    """Let the patient see the name and end the link."""
    await patient.open(f"/images/{study}")
    assert RECIPIENT in await patient.page.locator("section[aria-labelledby=openings]").inner_text()
    await patient.link("Share with a doctor").click()
    await patient.page.locator("summary").filter(has_text=patient.translate("End now")).first.click()
    await patient.button("End the link").click()
    await patient.page.get_by_text(patient.translate("The link has been ended.")).wait_for()
    await check_page(patient)
