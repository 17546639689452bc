"""The pages of images in several languages, on phone and desktop."""

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.dicom import stow, uids
from tests.support.imaging_devices import phantom_study
from tests.support.page_tour import DOCTOR, HOSPITAL, PATIENT, find_patient_id, find_tour_faults
from tests.support.visitors import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

TEXTS = frozenset({"CT Schädel nativ", "Serie 1", "Serie 2"})


async def test_pages_of_images_are_translated_fit_and_are_accessible(demo: DemoServer, browser: Browser) -> None:
    files = phantom_study(demo.person(PATIENT)["identifiers"][0]["value"])
    async with demo.http(HOSPITAL) as http:
        assert (await stow(http, files)).status_code == 200
    study, links = uids(files[0])[0], []

    async def make_link(visitor: Visitor) -> None:
        await visitor.open(f"/images/{study}/share")
        await visitor.page.fill("[name=label]", "XYZ")
        await visitor.page.check("[name=downloads]")
        await visitor.button("Make the link").click()
        await visitor.page.locator("svg.qr-code").wait_for()
        address = await visitor.page.locator("[name=address]").input_value()
        links.append((address, await visitor.page.locator(".code").inner_text()))

    async def open_link(visitor: Visitor) -> None:
        address, pin = links[0]
        await visitor.page.goto(address)
        await visitor.page.fill("[name=recipient]", "Dr Ana Extranjera")
        await visitor.page.fill("[name=pin]", pin)
        await visitor.button("Show the images").click()
        await visitor.page.locator("#picture").wait_for()

    own = ["/images", "/images?q=xyzzy", f"/images/{study}", f"/images/{study}?at=3&window=bone"]
    own += [f"/images/{study}/check", f"/images/{study}/share", make_link, f"/images/{study}/share"]
    assert await find_tour_faults(demo, browser, PATIENT, own, TEXTS) == []
    place = f"/patients/{await find_patient_id(demo)}/images"
    of_patient = [place, f"{place}?q=xyzzy", f"{place}/{study}", f"{place}/1.2.3"]
    assert await find_tour_faults(demo, browser, DOCTOR, of_patient, TEXTS) == []
    assert await find_tour_faults(demo, browser, None, [f"/shared-images/{'x' * 43}", open_link], TEXTS) == []
