"""An app in a real browser: a patient grants fewer scopes and revokes them; a doctor launches it for a patient."""

import pytest
from playwright.async_api import Browser

from tests.support.demo_server import DemoServer
from tests.support.visitors import PHONE, Visitor, open_visitor

pytestmark = pytest.mark.browser

PATIENT, DOCTOR, APP = "Erika Beispiel", "Dr Paul Exempel", "Beispiel-App"
LIST = "patient/DocumentReference.rs"


async def test_patient_grants_an_app_fewer_scopes_and_revokes_them(demo: DemoServer, browser: Browser) -> None:
    async with open_visitor(browser, demo.base, "de", viewport=PHONE) as patient:
        await patient.open("/demo/app")
        await patient.button("Connect to esante").click()
        await patient.button(PATIENT, translated=False).click()
        await patient.page.wait_for_url("**/oauth/authorize**")
        consent_text = await patient.text()
        assert patient.translate("See: %(what)s", what=patient.translate("List of documents")) in consent_text
        assert "Exemple Apps" in consent_text and PATIENT in consent_text
        await patient.page.locator(f"input[name=grant][value='{LIST}']").uncheck()
        await patient.button("Allow selected access").click()

        await patient.page.locator("#scopes").wait_for()
        assert patient.page.url == f"{demo.base}/demo/app"
        assert PATIENT in await patient.page.locator("#patient").inner_text()
        assert await patient.page.locator("#documents").inner_text() == patient.translate("not allowed")
        scopes = (await patient.page.locator("#scopes").inner_text()).split()
        assert "patient/Patient.rs" in scopes and LIST not in scopes

        portal = Visitor(demo.base, await patient.page.context.new_page(), "de")
        await portal.open("/sharing")
        await portal.link("Apps with access").click()
        await portal.page.wait_for_url("**/apps")
        assert APP in await portal.text() and "Exemple Apps" in await portal.text()
        await portal.open_details("Remove access…")
        await portal.button("Remove access now").click()
        await portal.page.get_by_text(portal.translate("You have not given any app access to your data.")).wait_for()

        await patient.button("Refresh").click()
        await patient.page.get_by_text("401").wait_for()
        await portal.open("/log?kind=sharing")
        log = await portal.text()
        assert portal.translate("You gave access to the app %(subject)s.", subject=APP) in log
        assert portal.translate("You removed the access of the app %(subject)s.", subject=APP) in log
        assert [message for message in patient.console_errors if "status of 40" not in message] == []


async def test_refusal_is_returned_to_the_app(demo: DemoServer, browser: Browser) -> None:
    async with open_visitor(browser, demo.base, "lb", viewport=PHONE) as patient:
        await patient.sign_in(PATIENT)
        await patient.open("/demo/app")
        await patient.button("Connect to esante").click()
        await patient.button("Refuse").click()
        await patient.page.get_by_text("access_denied").wait_for()
        assert patient.console_errors == []


async def test_doctor_launches_an_app_from_the_record(demo: DemoServer, browser: Browser) -> None:
    async with open_visitor(browser, demo.base, "fr") as doctor:
        await doctor.sign_in(DOCTOR)
        await doctor.open("/patients")
        await doctor.link(PATIENT, translated=False).click()
        await doctor.link("Open with an app").click()
        await doctor.page.get_by_role("button", name=doctor.translate("Open %(name)s", name=APP)).click()
        await doctor.page.wait_for_url("**/oauth/authorize**")
        assert PATIENT in await doctor.text()
        await doctor.button("Allow selected access").click()
        await doctor.page.locator("#scopes").wait_for()
        assert PATIENT in await doctor.page.locator("#patient").inner_text()
        assert int(await doctor.page.locator("#documents").inner_text()) > 0
        assert "/fhir/Practitioner/" in await doctor.page.locator("#user").inner_text()
        assert doctor.console_errors == []
