"""In browsers, from a permit to a checked result: data, a job, the look of the access body, the download."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from esante.core.storage import uuid7
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory
from esante.services.record import Deposit, Record
from esante.services.research import Permits
from esante.services.research.accounts.service import Accounts
from esante.settings import Settings
from tests.support.record import World
from tests.support.research import accepted
from tests.support.research_environment_story import download, make_data, release, run_job
from tests.support.research_lake import laboratory_report, make_permit
from tests.support.served_platform import prepare_months, serve_platform, sign_in
from tests.support.visitors import open_visitor

pytestmark = pytest.mark.browser
OPERATOR = Requester(kind="operator", id=uuid7(), name="Olga Operator")
NARROW = {"width": 360, "height": 740}

if shutil.which("bwrap") is None:
    pytest.skip("bubblewrap is not installed", allow_module_level=True)


@asynccontextmanager
async def open_country(folder: Path, dsn: str):
    """Yield a served platform with nine people who have laboratory results, and a permit."""
    async with serve_platform(Settings(data=folder / "var", database_url=dsn)) as platform:
        await prepare_months(platform)
        world = World(platform.db, platform.journal, platform[Directory], platform[Access], platform[Record])
        hospital = requester_of(await world.organization("hospital", "Hôpital du Nord"))
        for number in range(9):
            person = await world.person(sex="female" if number < 6 else "male")
            await world.record.deposit(hospital, person.id, laboratory_report(person, 10 + number), Deposit())
        researcher = await accepted(platform[Accounts], OPERATOR, "Lena Kieffer", "lena@uni.example")
        permit = make_permit(
            holder="University of Example",
            summary="How frequent is anaemia?",
            purpose="research",
            members=frozenset({researcher.id}),
        )
        async with platform.db.transaction() as conn:
            await platform[Permits].issue(conn, OPERATOR, permit)
        yield platform, permit, researcher


async def test_result_of_a_job_is_released_and_downloaded(browser, dsn, tmp_path):
    async with (
        open_country(tmp_path, dsn) as (platform, permit, account),
        open_visitor(browser, platform.settings.base_url, "fr", viewport=NARROW) as researcher,
        open_visitor(browser, platform.settings.base_url, "de") as operator,
    ):
        await asyncio.gather(sign_in(researcher, platform, account), sign_in(operator, platform, OPERATOR))
        await make_data(researcher, permit.permit_id)
        await run_job(researcher, permit.permit_id)
        await release(operator, permit.title)
        assert await download(researcher, tmp_path) == b"sex,persons\r\nfemale,6\r\nmale,\r\n"
