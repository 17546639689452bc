"""Rules and contexts of access in real browsers: two operators change a category; a hospital registers an emergency."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser

from esante.core.time_zone import today
from esante.identity.access import policy_set
from tests.support.demo_server import DemoServer
from tests.support.visitors import Visitor, open_visitor

pytestmark = pytest.mark.browser

FIRST, SECOND = "Olivia Opérateur", "Oskar Operator"
HOSPITAL_DOCTOR, PATIENT, BORN = "Dr Tom Notfall", "Erika Beispiel", "1947-01-27"
REASON = "Article 7(1), comité du 3 novembre"
TYPE = "/operator/assignments/types/certificate"


async def test_two_operators_change_a_category_after_each_has_seen_its_effect(
    demo: DemoServer, browser: Browser
) -> None:
    async with (
        open_visitor(browser, demo.base, "fr") as first,
        open_visitor(browser, demo.base, "de") as second,
    ):
        await first.sign_in(FIRST)
        change = await propose(first)
        assert not await first.page.locator(f"form[action='{change}/confirm']").count()

        await second.sign_in(SECOND)
        row = second.page.locator("section[aria-labelledby=tile-assignments] li", has_text=REASON)
        await row.locator("a").click()
        await second.page.get_by_text(second.translate("loses")).first.wait_for()
        await second.open_details("Confirm…")
        await second.button("Confirm the change").click()
        await second.page.locator(".badge.good", has_text=second.translate("proposal\x04Confirmed")).wait_for()

        await first.open(TYPE)
        await first.page.locator("section[aria-labelledby=changes] a").first.click()
        await first.page.locator("main dd", has_text=SECOND).wait_for()
        assert REASON in await first.text()
        assert first.console_errors == second.console_errors == []


async def propose(operator: Visitor) -> str:
    """Find the type, look at the effect, propose; return the address of the change."""
    await operator.open("/operator/assignments")
    await operator.page.locator("#f-q").fill(operator.translate("Certificate"))
    await operator.button("Search").click()
    await operator.page.locator(f"a[href='{TYPE}']").click()
    await operator.page.locator("#other").wait_for()
    await operator.page.locator("section[aria-labelledby=other] select").select_option("legal_protection")
    day = today() + timedelta(days=2)
    await operator.page.locator("[name=valid_from]").fill(day.isoformat())
    await operator.button("Show what would change").click()
    await operator.page.get_by_text(operator.translate("gains")).first.wait_for()
    await operator.page.locator("[name=reason]").wait_for()
    await operator.page.locator("[name=reason]").fill(REASON)
    await operator.button("Propose").click()
    await operator.page.get_by_text(operator.translate("Another person must confirm your proposal.")).wait_for()
    return operator.page.url.removeprefix(operator.base)


async def test_hospital_emergency_is_registered_seen_and_shown_with_its_ceiling_to_both(
    demo: DemoServer, browser: Browser
) -> None:
    async with (
        open_visitor(browser, demo.base, "de") as patient,
        open_visitor(browser, demo.base, "fr") as doctor,
    ):
        await doctor.sign_in(HOSPITAL_DOCTOR)
        await doctor.open("/emergency")
        await doctor.page.locator("a[href='/emergency/admission']").click()
        form = doctor.page.locator("form[action='/emergency/admission']")
        await form.locator("[name=identifier]").fill(demo.person(PATIENT)["identifiers"][0]["value"])
        await form.locator("[name=birth_date]").fill(BORN)
        await doctor.button("Register the admission").click()
        await doctor.page.locator(".banner").wait_for()
        record = doctor.page.url.removeprefix(doctor.base)
        document = doctor.page.locator("main li.entry a").first
        await document.click()
        await doctor.page.wait_for_url("**/documents/**")

        await patient.sign_in(PATIENT)
        await patient.open("/sharing")
        (until,) = await patient.page.locator("li", has_text="Clinique").locator("time").all()
        moment = await until.get_attribute("datetime")
        await doctor.open(record)
        shown = await doctor.page.locator(".banner time").first.get_attribute("datetime")
        assert shown == moment

        context = policy_set().on(today()).contexts["hospital_emergency"]
        await patient.reload_until("/log", patient.page.locator("li.entry", has_text=HOSPITAL_DOCTOR))
        entry = patient.page.locator("li.entry", has_text=HOSPITAL_DOCTOR).first
        assert patient.translate(context.words) in await entry.inner_text()
        assert patient.console_errors == doctor.console_errors == []
