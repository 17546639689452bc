"""In a browser, from an alert about a practice to a sent notification and a case that two people close."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser

from esante.contract import Platform
from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Directory
from esante.services.soc.alerts.model import Level
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.tenants.service import Tenants
from esante.settings import Settings
from tests.conftest import create_database
from tests.support.directory_entries import a_practitioner, an_organization
from tests.support.lifecycle_clock import MovedClock
from tests.support.page_checks import axe_violations, browser_errors, overflowing_elements
from tests.support.served_platform import prepare_months, serve_platform, sign_in
from tests.support.soc import a_finding
from tests.support.visitors import Visitor, download_file, open_visitor

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
START = datetime.combine(date(2027, 10, 29), time(9), UTC)
"""A Friday after today; in its weekend the clocks are set back."""


@dataclass
class Watch:
    """A served platform with two operators, and a practice with a contact; `clock` moves it."""

    platform: Platform
    clock: MovedClock
    operators: tuple[Requester, Requester]
    contact: Requester

    @property
    def base(self) -> str:
        """The address of the server."""
        return self.platform.settings.base_url


@asynccontextmanager
async def open_watch(folder: Path, dsn: str) -> AsyncIterator[Watch]:
    clock = MovedClock(START)
    with use_clock(clock):
        async with serve_platform(Settings(data=folder / "var", database_url=dsn)) as platform:
            await prepare_months(platform)
            first, second = (Requester(kind="operator", id=uuid7(), name=name) for name in ("Olga", "Oskar"))
            practice = await platform[Directory].register_organization(an_organization(name="Cabinet d’essai"))
            doctor = await platform[Directory].register_practitioner(a_practitioner(practice))
            tenant = await platform[Tenants].admit(first, practice.id)
            await platform[Tenants].add_contact(first, tenant.tenant_id, doctor.id)
            found = [
                a_finding(
                    tenant.tenant_id, key, level=Level.CRITICAL, techniques=("T1490",), first_at=START, last_at=START
                )
                for key in ("one", "two")
            ]
            async with platform.db.transaction() as conn:
                await platform[Alerts].raise_in(conn, found)
            yield Watch(platform, clock, (first, second), requester_of(doctor, practice))


async def check_page(visitor: Visitor) -> None:
    assert await overflowing_elements(visitor.page) == ""
    assert await axe_violations(visitor.page) == []
    assert browser_errors(visitor) == []


async def see(visitor: Visitor, text: str, **values: object) -> None:
    """Wait until a text is shown, and check the page."""
    await visitor.page.get_by_text(visitor.translate(text, **values)).first.wait_for()
    await check_page(visitor)


async def open_case(operator: Visitor) -> str:
    """Open a case with the alerts that belong together; return its path."""
    await operator.open("/operator/soc/alerts")
    await check_page(operator)
    await operator.page.locator("section[aria-labelledby=groups] button").first.click()
    await see(operator, "The case is open.")
    await operator.button("Take the case").click()
    await see(operator, "The case is yours.")
    return operator.page.url.removeprefix(operator.base).partition("?")[0]


async def follow_steps(contact: Visitor) -> None:
    """Do every step of the practice page, one button each."""
    await contact.open("/")
    await contact.link("What to do now").click()
    await see(contact, "What happened")
    for _ in range(20):
        if not await contact.button("I did this").count():
            break
        await contact.button("I did this").first.click()
        await see(contact, "Thank you. We have noted it.")
    await see(contact, "You have done everything")


async def state_facts(operator: Visitor, case: str, known: str) -> None:
    await operator.open(f"{case}/duties")
    await check_page(operator)
    await operator.page.locator("[name=detected_at]").fill(known)
    await operator.page.locator("[name=aware_at]").fill(known)
    await operator.page.locator("[name=severe_disruption]").check()
    await operator.button("Save the facts").click()
    await see(operator, "The facts have been saved. The duties below follow from them.")


async def write_notification(operator: Visitor, case: str, folder: Path) -> None:
    """Draft the early warning, complete it, and approve it as the first."""
    await operator.open(f"{case}/duties/early_warning")
    await operator.button("Make the draft").click()
    await see(operator, "The draft is ready. Complete the places marked […].")
    for area in await operator.page.locator("form textarea").all():
        await area.fill((await area.input_value()).replace("[…]", "Dr. Weber"))
    await operator.button("Save the text").click()
    await see(operator, "The text has been saved.")
    await operator.button("Approve the text").click()
    await see(operator, "Your approval has been saved.")
    for ending, begin in (("pdf", b"%PDF-"), ("json", b"{")):
        file = await download_file(operator, operator.page.locator(f"a[href$='.{ending}']"), folder)
        assert file.read_bytes().startswith(begin)


async def approve_and_send(second: Visitor, case: str) -> None:
    await second.open(f"{case}/duties/early_warning")
    await second.button("Approve the text").click()
    await see(second, "Your approval has been saved.")
    await second.page.locator("[name=receipt]").fill("SERIMA-1")
    await second.button("Mark as sent").click()
    await see(second, "The notification is marked as sent.")


async def test_alert_becomes_a_notification_that_is_sent(browser: Browser, server: str, tmp_path: Path) -> None:
    async with (
        open_watch(tmp_path, await create_database(server)) as watch,
        open_visitor(browser, watch.base, "de") as first,
        open_visitor(browser, watch.base, "fr") as second,
        open_visitor(browser, watch.base, "lb", viewport=PHONE) as contact,
    ):
        for visitor, holder in ((first, watch.operators[0]), (second, watch.operators[1]), (contact, watch.contact)):
            await sign_in(visitor, watch.platform, holder)
        case = await open_case(first)
        await follow_steps(contact)
        await state_facts(first, case, "2027-10-29T10:30")
        await write_notification(first, case, tmp_path)
        watch.clock.move_to(START + timedelta(hours=2))
        await approve_and_send(second, case)
        await contact.open(f"{case.replace('/operator/soc', '/security')}/duties")
        await see(contact, "Sent")
        await first.open(f"{case}?show=evidence&check=yes")
        await see(first, "The evidence is as it was added.")
