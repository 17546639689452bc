"""The pages of fee notes in four languages on phone and desktop, and the stories of a note in a browser."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.async_api import Browser

from esante.core.time_zone import today
from esante.services.billing.nomenclature import nomenclature
from tests.support.billing_demo import BillingDemo, serve_billing_demo
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.page_tour import DOCTOR, OPERATOR, PATIENT, find_tour_faults
from tests.support.visitors import Visitor, open_visitor

pytestmark = [pytest.mark.browser, pytest.mark.tour]

OWN, LIST, NEW, PLACE = "/fee-notes", "/billing", "/billing/new", "/operator/billing"
NARROW = {"width": 360, "height": 740}
DATA = frozenset(label for act in nomenclature().acts(today()) for label in act.labels.values())


@pytest.fixture(scope="module")
def billing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BillingDemo]:
    with serve_billing_demo(tmp_path_factory.mktemp("billing")) as found:
        yield found


def matricule_of(billing: BillingDemo) -> str:
    return str(billing.demo.person(PATIENT)["identifiers"][0]["value"])


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def open_first(visitor: Visitor) -> None:
    await visitor.page.locator("main li.entry a").first.click()
    await visitor.page.locator("dl.facts").first.wait_for()


async def fill_in(doctor: Visitor, matricule: str, code: str) -> None:
    await doctor.open(NEW)
    await doctor.page.fill("[name=matricule]", matricule)
    await doctor.page.fill("[name=code-0]", code)


async def simulate(doctor: Visitor) -> None:
    await doctor.button("Simulate").click()
    await doctor.page.wait_for_url("**/billing/simulations/*")


async def confirm(doctor: Visitor) -> str:
    """Confirm what is simulated; return the id of the note once it is paid."""
    for name in ("doctor", "patient", "personal_share"):
        await doctor.page.check(f"[name={name}]")
    await doctor.page.locator("form[action^='/billing/simulations/'] button").first.click()
    await doctor.page.wait_for_url("**/billing/notes/*")
    await doctor.page.locator("#standing").get_by_text(doctor.translate("Paid to you"), exact=True).wait_for()
    return doctor.page.url.rpartition("/")[2]


async def test_pages_are_translated_fit_and_are_accessible(billing: BillingDemo, browser: Browser) -> None:
    demo, matricule = billing.demo, matricule_of(billing)

    async def refused_simulation(visitor: Visitor) -> None:
        await fill_in(visitor, matricule, "XXXX")
        await simulate(visitor)

    async def wrong_form(visitor: Visitor) -> None:
        await fill_in(visitor, matricule, "C1")
        await visitor.page.fill("[name=quantity-0]", "x")
        await visitor.button("Simulate").click()
        await visitor.page.locator(".callout.danger").wait_for()

    own = [
        "/",
        OWN,
        open_first,
        f"{OWN}?q=xyzzy",
        f"{OWN}/consents",
        f"{OWN}/years/{today().year}",
        f"{OWN}/years/2001",
    ]
    assert await find_tour_faults(demo, browser, PATIENT, own, DATA) == []
    doctor = ["/", LIST, open_first, NEW, wrong_form, refused_simulation, f"{LIST}/account"]
    assert await find_tour_faults(demo, browser, DOCTOR, doctor, DATA) == []
    lists = (
        "payments",
        "bank-lines",
        "undelivered",
        "accounts",
        "accounts?state=",
        "contestations",
        "contestations?state=",
    )
    operator = ["/", PLACE, *(f"{PLACE}/{page}" for page in lists)]
    assert await find_tour_faults(demo, browser, OPERATOR, operator, DATA) == []


async def test_note_is_billed_paid_seen_and_corrected(billing: BillingDemo, browser: Browser) -> None:
    async with (
        open_visitor(browser, billing.demo.base, "en", viewport=NARROW) as doctor,
        open_visitor(browser, billing.demo.base, "de", viewport=NARROW) as patient,
    ):
        await doctor.sign_in(DOCTOR)
        await patient.sign_in(PATIENT)
        await fill_in(doctor, matricule_of(billing), "V1")
        await doctor.page.fill("[name=issued_on]", (today() - timedelta(days=1)).isoformat())  # of no other note
        await doctor.page.locator("#preview dl.facts").wait_for()
        await check_page(doctor)
        await simulate(doctor)
        await check_page(doctor)
        note = await confirm(doctor)
        await patient.open(f"{OWN}/{note}")
        assert patient.translate("Paid by the health insurance to the professional") in await patient.text()
        await check_page(patient)
        await doctor.link("Correct").click()
        await doctor.page.fill("[name=code-0]", "C1")
        await simulate(doctor)
        corrected = await confirm(doctor)
        assert corrected != note
        assert doctor.translate("Deducted from corrections") in await doctor.text()
        await check_page(doctor)
        await patient.open(f"{OWN}/{note}")
        await patient.link("the corrected fee note").click()
        await patient.page.wait_for_url(f"**/{corrected}")
        await check_page(patient)


async def test_silent_insurance_leads_to_reimbursement_with_the_same_id(
    billing: BillingDemo, browser: Browser
) -> None:
    async with (
        open_visitor(browser, billing.demo.base, "fr", viewport=NARROW) as doctor,
        open_visitor(browser, billing.demo.base, "lb", viewport=NARROW) as patient,
    ):
        await doctor.sign_in(DOCTOR)
        await patient.sign_in(PATIENT)
        await fill_in(doctor, matricule_of(billing), "C1")
        await doctor.page.fill("[name=issued_on]", "2026-11-02")
        billing.cns.set_faults(silent=1.0)
        try:
            note = await doctor.page.locator("[name=note_id]").input_value()
            await doctor.button("Simulate").click()
            await doctor.page.locator(".callout.warn [name=way]").wait_for()
            assert [error for error in doctor.console_errors if "503" not in error] == []
            doctor.console_errors.clear()
            await check_page(doctor)
            await doctor.page.locator(".callout.warn [name=way]").click()
            await doctor.page.wait_for_url(f"**/billing/notes/{note}")
            await check_page(doctor)
        finally:
            billing.cns.set_faults(silent=0.0)
        await patient.open(f"{OWN}/{note}")
        await patient.button("Send to the health insurance").click()
        await patient.page.wait_for_url("**?sent=yes")
        await check_page(patient)
        reimbursed = patient.page.locator(".badge", has_text=patient.translate("Reimbursed"))
        for _ in range(60):
            await patient.open(f"{OWN}/{note}")
            if await reimbursed.count():
                break
            await patient.page.wait_for_timeout(1_000)
        assert await reimbursed.count() == 1
        assert billing.cns.notes()[note]
