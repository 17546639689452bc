"""In browsers, from the catalogue to a permit that two operators granted, and a patient who says no."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory
from esante.services.record import Deposit, Record
from esante.services.research.catalogue.service import Catalogue
from esante.settings import Settings
from tests.support.record import World
from tests.support.research_environment_story import check_page, download, make_data, release, run_job
from tests.support.research_lake import laboratory_report
from tests.support.research_story import TITLE, obtain_permit
from tests.support.served_platform import prepare_months, serve_platform, sign_in
from tests.support.visitors import open_visitor

pytestmark = pytest.mark.browser
FIRST = Requester(kind="operator", id=uuid7(), name="Olga Operator")
SECOND = Requester(kind="operator", id=uuid7(), name="Otto Operator")
NARROW = {"width": 360, "height": 740}


@asynccontextmanager
async def open_country(folder: Path, dsn: str):
    """Yield a served platform with nine people who have laboratory results, counted for the catalogue, and one."""
    async with serve_platform(Settings(data=folder / "var", database_url=dsn)) as platform:
        await prepare_months(platform)
        world = World(platform.db, platform.journal, platform[Directory], platform[Access], platform[Record])
        hospital = requester_of(await world.organization("hospital", "Hôpital du Nord"))
        for number in range(9):
            person = await world.person(sex="female" if number < 6 else "male")
            await world.record.deposit(hospital, person.id, laboratory_report(person, 10 + number), Deposit())
        catalogue = platform[Catalogue]
        while not await catalogue.start():  # the one of before they came is still being made
            await catalogue.advance()
        while await catalogue.progress() is not None:
            if not await catalogue.advance():
                await asyncio.sleep(0.1)
        yield platform, requester_of(person)


async def test_researcher_obtains_a_permit_and_a_patient_sees_it_and_opts_out(browser, dsn, tmp_path):
    async with open_country(tmp_path, dsn) as (platform, person):
        base = platform.settings.base_url
        async with (
            open_visitor(browser, base, "fr", viewport=NARROW) as researcher,
            open_visitor(browser, base, "de") as first,
            open_visitor(browser, base, "en") as second,
            open_visitor(browser, base, "lb", viewport=NARROW) as patient,
        ):
            await asyncio.gather(
                sign_in(first, platform, FIRST), sign_in(second, platform, SECOND), sign_in(patient, platform, person)
            )
            permit = await obtain_permit(researcher, first, second)
            assert TITLE in await researcher.page.locator("h1").inner_text()
            await check_page(researcher)
            await patient.open("/secondary-use")
            assert TITLE in await patient.page.locator("main").inner_text()
            await check_page(patient)
            await patient.page.locator("details:has(form[action='/secondary-use/out']) > summary").click()
            await patient.page.locator("form[action='/secondary-use/out'] button").click()
            await patient.page.locator("form[action='/secondary-use/in']").wait_for(state="attached")
            if shutil.which("bwrap") is not None:
                await make_data(researcher, permit.permit_id)
                await run_job(researcher, permit.permit_id)
                await release(first, TITLE)
                assert await download(researcher, tmp_path) == b"sex,persons\r\nfemale,6\r\nmale,\r\n"
            for visitor in (researcher, first, second, patient):
                await check_page(visitor)
