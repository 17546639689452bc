"""The studies of the demonstration: taken in whole, the same in each load, phantoms and not pictures of anybody."""

from datetime import date

import pytest

from esante.services.imaging.demo.examinations import draw_examinations, study_files
from tests.support.dicom import stored, stow, uids

TODAY = date(2026, 3, 1)


@pytest.fixture
async def persons(world):
    """Persons in place of the users of the portal."""
    return [await world.person() for _ in range(5)]


async def test_every_study_is_taken_in_whole(imaging, world, persons):
    async with imaging.client(world.people["hospital"]) as client:
        for examination in draw_examinations(persons, TODAY):
            files = [*study_files(examination)]
            response = await stow(client, files, f"/dicomweb/studies/{examination.study_uid}")
            assert response.status_code == 200, (examination.title, response.text)
            assert len(stored(response)) == len(files)
            assert {uids(file)[0] for file in files} == {examination.study_uid}


async def test_second_load_makes_the_same_files(persons):
    first, second = (draw_examinations(persons, TODAY)[0] for _ in range(2))
    assert [*study_files(first)] == [*study_files(second)]


async def test_country_of_few_persons_has_the_studies_of_these(persons):
    found = draw_examinations(persons[:2], TODAY)
    assert {one.person.id for one in found} == {one.id for one in persons[:2]}
