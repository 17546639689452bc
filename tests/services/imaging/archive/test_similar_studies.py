"""The warning of a similar examination at deposit: same kind and part, shortly before, and never of a hidden one."""

from datetime import date, timedelta

import pytest

from esante.identity.access import Confidentiality, requester_of
from tests.support.dicom import stow, study_files

DAY = date(2026, 3, 1)


def head_ct(person, on: date = DAY, **elements) -> list[bytes]:
    """Return a study with a body part."""
    return study_files(person, instances=1, BodyPartExamined="HEAD", StudyDate=on.strftime("%Y%m%d"), **elements)


async def warnings(imaging, requester, files) -> list[str]:
    """Store a study; return the warnings of the answer."""
    async with imaging.client(requester) as client:
        answer = await stow(client, files)
    assert answer.status_code == 200
    return answer.headers.get_list("Warning")


async def test_similar_study_shortly_before_is_warned_of_and_stored_nevertheless(imaging, world, person):
    hospital = world.people["hospital"]
    assert await warnings(imaging, hospital, head_ct(person, DAY - timedelta(days=20))) == []
    assert await warnings(imaging, hospital, head_ct(person)) == [
        '299 esante "A similar examination (CT, HEAD) of 2026-02-09 is in this record"'
    ]


@pytest.mark.parametrize(
    ("before", "elements"), [(91, {}), (-1, {}), (20, {"Modality": "MR"}), (20, {"BodyPartExamined": "KNEE"})]
)
async def test_study_of_another_time_kind_or_part_is_not_similar(imaging, world, person, before, elements):
    hospital = world.people["hospital"]
    await warnings(imaging, hospital, head_ct(person, DAY - timedelta(days=before)))
    second = study_files(
        person, instances=1, **{"BodyPartExamined": "HEAD", "StudyDate": DAY.strftime("%Y%m%d")} | elements
    )
    assert await warnings(imaging, hospital, second) == []


async def test_similar_study_that_the_depositor_may_not_see_is_not_told_of(imaging, world, person):
    patient = requester_of(person)
    await warnings(imaging, world.people["hospital"], head_ct(person, DAY - timedelta(days=20)))
    [document] = (await world.record.timeline(patient, person.id)).documents
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    assert await warnings(imaging, world.people["doctor"], head_ct(person)) == []


async def test_further_instances_of_a_study_do_not_warn_again(imaging, world, person):
    hospital = world.people["hospital"]
    await warnings(imaging, hospital, head_ct(person, DAY - timedelta(days=20)))
    files = study_files(person, instances=2, BodyPartExamined="HEAD", StudyDate=DAY.strftime("%Y%m%d"))
    assert len(await warnings(imaging, hospital, files[:1])) == 1
    assert await warnings(imaging, hospital, files[1:]) == []
