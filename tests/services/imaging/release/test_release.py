"""Withholding of a study from its patient: every answer, its end, its longest time, and who may do it."""

from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.imaging.dose.service import Doses
from esante.services.imaging.model import StudyReleased, StudyWithheld
from esante.services.imaging.release.service import Releases
from esante.services.imaging.release.terms import release_terms
from tests.services.imaging.test_access import answers
from tests.support.dicom import stow, study_files, uids


@pytest.fixture
def releases(imaging, world):
    """The use cases over the world."""
    return Releases(world.db, imaging.archive, world.record)


async def stored_study(imaging, world, person, **params):
    """Store a study of a person; return a file of it."""
    files = study_files(person, instances=1)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files, **params)).status_code == 200
    return files[0]


async def seen(imaging, requester, person, file) -> set[int]:
    """Return the statuses of every address of an instance, and of the search for it."""
    async with imaging.client(requester) as client:
        found = {status for status, _ in await answers(client, file)}
        search = await client.get("/dicomweb/studies", params={"StudyInstanceUID": uids(file)[0]})
    return found | {404 if search.status_code == 204 else search.status_code}


async def test_withheld_study_is_absent_for_the_patient_alone_until_it_is_released(imaging, world, person, releases):
    file = await stored_study(imaging, world, person)
    patient, hospital = requester_of(person), world.people["hospital"]
    assert await seen(imaging, patient, person, file) == {200}
    await releases.withhold(hospital, uids(file)[0], 3)
    assert await seen(imaging, patient, person, file) == {404}
    assert await seen(imaging, world.people["doctor"], person, file) == {200}
    await releases.release(hospital, uids(file)[0])
    assert await seen(imaging, patient, person, file) == {200}
    assert len(await world.events(person, StudyWithheld)) == len(await world.events(person, StudyReleased)) == 1


async def test_withheld_study_is_answered_like_one_that_does_not_exist(imaging, world, person, releases):
    file, never_stored = await stored_study(imaging, world, person), study_files(person, instances=1)[0]
    await releases.withhold(world.people["hospital"], uids(file)[0], 3)
    async with imaging.client(requester_of(person)) as client:
        assert await answers(client, file) == await answers(client, never_stored)
    doses = await Doses(world.db, imaging.archive, world.record, world.directory).history(
        requester_of(person), person.id
    )
    assert doses.doses == ()


async def test_study_stored_to_be_withheld_is_never_seen_before(imaging, world, person):
    file = await stored_study(imaging, world, person, withhold="5")
    assert await seen(imaging, requester_of(person), person, file) == {404}
    [(_, event)] = await world.events(person, StudyWithheld)
    assert event.until[:10] == (clock.now() + timedelta(days=5)).date().isoformat()


async def test_patient_sees_the_study_after_the_longest_time_whatever_was_set(
    imaging, world, person, releases, monkeypatch
):
    file = await stored_study(imaging, world, person)
    longest = release_terms(clock.now().date()).longest_days
    release = await releases.withhold(world.people["hospital"], uids(file)[0], 10**9)
    assert release.withheld_until <= clock.now() + timedelta(days=longest)
    later = clock.now() + timedelta(days=longest, minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    visible = await imaging.archive.studies(requester_of(person), person.id)
    assert [study.study_uid for study, _ in visible.studies] == [uids(file)[0]]
    with pytest.raises(Problem) as refused:
        await releases.withhold(world.people["hospital"], uids(file)[0], 1)
    assert refused.value.status == 409


@pytest.mark.parametrize("who", ["doctor", "other", "patient"])
async def test_only_who_made_a_study_withholds_it(imaging, world, person, releases, who):
    file = await stored_study(imaging, world, person)
    requester = requester_of(person) if who == "patient" else world.people[who]
    with pytest.raises(Problem) as refused:
        await releases.withhold(requester, uids(file)[0], 1)
    assert refused.value.status == 404
    assert await seen(imaging, requester_of(person), person, file) == {200}


async def test_number_of_days_that_is_none_is_refused(imaging, world, person):
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, study_files(person), withhold="soon")).status_code == 400
