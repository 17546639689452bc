"""Pages of a person's data."""

from dataclasses import replace

from esante.services.record import bulk_read
from tests.support.clinical_requests import create
from tests.support.clinical_resources import observation


async def test_large_resource_is_a_page_of_its_own(platform, monkeypatch):
    hospital = replace(platform.people["hospital"], client="Large")
    person = await platform.add_patient(hospital)
    async with platform.client(hospital) as http:
        note = [{"text": "x" * 100_000}]
        created = {(await create(http, observation(person, note=note))).json()["id"] for _ in range(5)}
        monkeypatch.setattr(bulk_read, "PAGE", bulk_read.PageLimits(count=100, size=1))
        found = await platform.fetch_lines(
            http, await platform.run_export(http, f"Patient/{person.id}/$export?_type=Observation")
        )
    assert {one["id"] for one in found} == created
