"""A dose in a browser: the reminder goes, and the stock of the site goes down by one."""

import asyncio
from datetime import timedelta

import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from tests.e2e.test_vaccination_story import check_page
from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, PATIENT, find_patient_id
from tests.support.visitors import Visitor, chromium, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
VACCINES = {
    "Tetanus": "boostrix_polio",
    "Flu": "vaxigrip",
    "Shingles": "shingrix",
    "Pneumococci": "prevenar_20",
    "COVID-19": "comirnaty",
}
"""Diseases with a vaccine for adults."""


async def stock_of(doctor: Visitor, lot: str) -> int:
    """Return how many doses of a lot the page of stock shows."""
    await doctor.open(f"/vaccine-stock?q={lot}")
    row = doctor.page.locator("tbody tr", has_text=lot)
    return int(await row.locator(f"td[data-label='{doctor.translate('Doses')}']").inner_text())


async def due_of(patient: Visitor) -> list[str]:
    """Return the diseases against which the reminders show a dose that is due or late."""
    await patient.open("/vaccinations/reminders")
    titles = await patient.page.locator("section[aria-labelledby=next] li:has(.badge) .entry-title").all_inner_texts()
    return [name.strip() for title in titles for name in title.split(",")]


async def wait_for_due(patient: Visitor) -> tuple[str, str]:
    """Return a disease against which a dose is due, with a vaccine against it, once the forecasts are made."""
    async with asyncio.timeout(120):
        while True:
            due = await due_of(patient)
            for label, vaccine in VACCINES.items():
                if patient.translate(label) in due:
                    return patient.translate(label), vaccine
            await asyncio.sleep(0.5)


async def receive(doctor: Visitor, vaccine: str, lot: str) -> None:
    """Enter a delivery of ten doses."""
    await doctor.open("/vaccine-stock/delivery")
    await doctor.page.locator("[name=product]").select_option(vaccine)
    await doctor.page.locator("[name=lot]").fill(lot)
    await doctor.page.locator("[name=quantity]").fill("10")
    await doctor.page.locator("[name=expires_on]").fill((today() + timedelta(days=300)).isoformat())
    await check_page(doctor)
    await doctor.button("Save").click()
    await doctor.page.get_by_text(doctor.translate("Saved.")).wait_for()


async def test_dose_given_takes_the_reminder_and_one_of_the_stock(demo: DemoServer) -> None:
    lot, person = f"OP{uuid7().hex[-5:]}".upper(), await find_patient_id(demo)
    async with chromium() as browser, open_visitor(browser, demo.base, "fr", viewport=NARROW) as patient:
        await patient.sign_in(PATIENT)
        disease, vaccine = await wait_for_due(patient)
        await check_page(patient)
        async with open_visitor(browser, demo.base, "de", viewport=NARROW) as doctor:
            await doctor.sign_in(DOCTOR)
            await receive(doctor, vaccine, lot)
            assert await stock_of(doctor, lot) == 10
            await check_page(doctor)
            await doctor.open("/due-vaccinations")
            await check_page(doctor)
            await give(doctor, person, vaccine, lot)
            async with asyncio.timeout(120):
                while await stock_of(doctor, lot) != 9 or disease in await due_of(patient):
                    await asyncio.sleep(0.5)


async def give(doctor: Visitor, person: str, vaccine: str, lot: str) -> None:
    """Give a dose of a lot today."""
    await doctor.open(f"/patients/{person}/vaccinations/new")
    await doctor.page.locator("[name=product]").select_option(vaccine)
    await doctor.page.locator("[name=lot]").fill(lot)
    if await doctor.page.locator("[name=reason]").count():
        await doctor.page.locator("[name=reason]").fill("Mit der Patientin besprochen")
    await doctor.button("Given: save").click()
    reason = doctor.page.locator("[name=reason]")
    saved = doctor.page.get_by_text(doctor.translate("The vaccination has been saved."))
    await saved.or_(reason).first.wait_for()
    if await reason.count():
        await reason.fill("Mit der Patientin besprochen")
        await doctor.button("Given: save").click()
        await saved.wait_for()
