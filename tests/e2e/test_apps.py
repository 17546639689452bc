"""An app in a real browser: a patient lets it see less than it asks for and ends it; a doctor opens it for a patient."""

import pytest
from playwright.async_api import Browser

from tests.e2e.browsers import PHONE, Visitor, visiting
from tests.e2e.demos import Demo

pytestmark = pytest.mark.browser

PATIENT, DOCTOR, APP = "Erika Beispiel", "Dr Paul Exempel", "Beispiel-App"
LIST = "patient/DocumentReference.rs"


async def test_she_lets_an_app_see_less_and_then_nothing(demo: Demo, browser: Browser) -> None:
    async with visiting(browser, demo.base, "de", viewport=PHONE) as she:
        await she.goes_to("/demo/app")
        await she.button("Connect to esante").click()
        await she.button(PATIENT, translated=False).click()
        await she.page.wait_for_url("**/oauth/authorize**")
        asked = await she.text()
        assert she.says("See: %(what)s", what=she.says("List of documents")) in asked
        assert "Exemple Apps" in asked and PATIENT in asked
        await she.page.locator(f"input[name=grant][value='{LIST}']").uncheck()
        await she.button("Allow what is chosen").click()

        await she.page.locator("#scopes").wait_for()
        assert she.page.url == f"{demo.base}/demo/app"
        assert PATIENT in await she.page.locator("#patient").inner_text()
        assert await she.page.locator("#documents").inner_text() == she.says("not allowed")
        given = (await she.page.locator("#scopes").inner_text()).split()
        assert "patient/Patient.rs" in given and LIST not in given

        portal = Visitor(demo.base, await she.page.context.new_page(), "de")
        await portal.goes_to("/sharing")
        await portal.link("Apps with access").click()
        await portal.page.wait_for_url("**/apps")
        assert APP in await portal.text() and "Exemple Apps" in await portal.text()
        await portal.unfold("Revoke…")
        await portal.button("Revoke now").click()
        await portal.page.get_by_text(portal.says("You have not let any app see data.")).wait_for()

        await she.button("Read again").click()
        await she.page.get_by_text("401").wait_for()
        await portal.goes_to("/log?kind=sharing")
        log = await portal.text()
        assert portal.says("You gave the app %(subject)s access.", subject=APP) in log
        assert portal.says("You ended the access of the app %(subject)s.", subject=APP) in log
        assert [said for said in she.complaints if "status of 40" not in said] == []


async def test_she_refuses_and_the_app_is_told(demo: Demo, browser: Browser) -> None:
    async with visiting(browser, demo.base, "lb", viewport=PHONE) as she:
        await she.sign_in(PATIENT)
        await she.goes_to("/demo/app")
        await she.button("Connect to esante").click()
        await she.button("Refuse").click()
        await she.page.get_by_text("access_denied").wait_for()
        assert she.complaints == []


async def test_a_doctor_opens_an_app_from_the_record(demo: Demo, browser: Browser) -> None:
    async with visiting(browser, demo.base, "fr") as doctor:
        await doctor.sign_in(DOCTOR)
        await doctor.goes_to("/patients")
        await doctor.link(PATIENT, translated=False).click()
        await doctor.link("Open in an app").click()
        await doctor.page.get_by_role("button", name=doctor.says("Open %(name)s", name=APP)).click()
        await doctor.page.wait_for_url("**/oauth/authorize**")
        assert PATIENT in await doctor.text()
        await doctor.button("Allow what is chosen").click()
        await doctor.page.locator("#scopes").wait_for()
        assert PATIENT in await doctor.page.locator("#patient").inner_text()
        assert int(await doctor.page.locator("#documents").inner_text()) > 0
        assert "/fhir/Practitioner/" in await doctor.page.locator("#user").inner_text()
        assert doctor.complaints == []
