"""The load of the demonstration's studies into a country of few persons."""

from datetime import UTC, datetime

from esante.app import open_platform
from esante.contract import DemoCountry
from esante.demo import build_world, find_requester, load
from esante.identity.directory import Directory
from esante.services.imaging.demo.load import load_studies
from esante.services.record import Record
from esante.settings import Settings


async def _count(platform, table: str) -> int:
    return await platform.db.fetchval(f"SELECT count(*) FROM {table}")


async def test_studies_are_loaded_once_with_a_report_each(tmp_path):
    async with open_platform(Settings(data=tmp_path, demo=True)) as platform:
        await load(platform, persons=20)
        patient = await find_requester(platform, "Anna Musterfra")
        person = await platform[Directory].person(patient.id)
        country = DemoCountry(
            seed=1,
            now=datetime.now(UTC),
            persons=[person],
            practitioners=[],
            organizations=build_world(datetime.now(UTC).date(), persons=20).organizations,
            account_holders=[person],
            software={},
            months=0,
        )
        await load_studies(platform, country, lambda *_: None)
        assert await _count(platform, "imaging_quarantine") == 0
        studies = await _count(platform, "imaging_study")
        assert studies > 3
        documents = (await platform[Record].timeline(patient, person.id, limit=500)).documents
        of_studies = {value for one in documents if one.category == "imaging_study" for _, value in one.identifiers}
        reported = {value for one in documents if one.category == "imaging_report" for _, value in one.identifiers}
        assert len(of_studies) == studies and of_studies < reported
        entries = await _count(platform, "journal_entry")
        await load_studies(platform, country, lambda *_: None)
        assert await _count(platform, "imaging_study") == studies
        assert await _count(platform, "journal_entry") == entries
