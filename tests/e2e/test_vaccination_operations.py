"""Doses in a browser: reminder and notice go, the stock of the site goes down by one, coverage changes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from tests.e2e.test_vaccination_story import check_page
from tests.support.demo_server import DemoServer
from tests.support.page_tour import DOCTOR, OPERATOR, PATIENT, find_patient_id
from tests.support.visitors import Visitor, chromium, open_visitor

pytestmark = pytest.mark.browser

NARROW = {"width": 360, "height": 740}
VACCINES = {
    "Tetanus": "boostrix_polio",
    "Flu": "vaxigrip",
    "Shingles": "shingrix",
    "Pneumococci": "prevenar_20",
    "COVID-19": "comirnaty",
    "Respiratory syncytial virus (RSV)": "arexvy",
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


async def coverage(operator: Visitor) -> list[str]:
    """Return the rows of coverage by disease, as the operator's page shows them."""
    await operator.open("/operator/vaccinations?by=antigen")
    return await operator.page.locator("table tbody tr").all_inner_texts()


async def count_again(operator: Visitor) -> None:
    """Let coverage be counted again."""
    await operator.open("/operator/vaccinations")
    await operator.button("Count again now").click()
    text = operator.translate("Coverage is being counted again. Open this page again in a moment.")
    await operator.page.get_by_text(text).wait_for()


async def has_unread_reminder(patient: Visitor) -> bool:
    """Return whether the list of notices has an unread one about a vaccination that is due."""
    await patient.open("/notices")
    text = patient.translate("A vaccination is due to you, or will be soon. See which one.")
    return await patient.page.locator("main li", has_text=text).locator("form").count() > 0


async def wait_until(condition: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.5)


async def test_doses_given_take_reminder_notice_and_stock_and_change_coverage(demo: DemoServer) -> None:
    lot, person = f"OP{uuid7().hex[-5:]}".upper(), await find_patient_id(demo)
    async with (
        chromium() as browser,
        open_visitor(browser, demo.base, "fr", viewport=NARROW) as patient,
        open_visitor(browser, demo.base, "de", viewport=NARROW) as doctor,
        open_visitor(browser, demo.base, "en") as operator,
    ):
        await patient.sign_in(PATIENT)
        disease, vaccine = await wait_for_due(patient)
        await check_page(patient)
        await wait_until(lambda: has_unread_reminder(patient))
        await operator.sign_in(OPERATOR)
        await count_again(operator)
        await wait_until(lambda: differs(coverage(operator), []))
        await check_page(operator)
        before = await coverage(operator)
        await doctor.sign_in(DOCTOR)
        await receive(doctor, vaccine, lot)
        assert await stock_of(doctor, lot) == 10
        await check_page(doctor)
        await doctor.open("/due-vaccinations")
        await check_page(doctor)
        await give(doctor, person, vaccine, lot)
        await wait_until(lambda: is_taken(doctor, patient, lot, disease))
        for label in await due_of(patient):
            await give(
                doctor, person, next(one for name, one in VACCINES.items() if patient.translate(name) == label), ""
            )
        await wait_until(lambda: is_empty(due_of(patient)))
        await wait_until(lambda: is_settled(patient))
        await count_again(operator)
        await wait_until(lambda: differs(coverage(operator), before))


async def is_taken(doctor: Visitor, patient: Visitor, lot: str, disease: str) -> bool:
    return await stock_of(doctor, lot) == 9 and disease not in await due_of(patient)


async def is_empty(found: Awaitable[list[str]]) -> bool:
    return not await found


async def is_settled(patient: Visitor) -> bool:
    return not await has_unread_reminder(patient)


async def differs(found: Awaitable[list[str]], before: list[str]) -> bool:
    return await found != before


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
