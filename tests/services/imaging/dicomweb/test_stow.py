"""STOW-RS: what is stored, what is refused and with which answer."""

import pytest

from esante.services.imaging.ingest.quarantine_store import fetch_quarantined
from esante.services.imaging.model import StudyDeposited, StudyDepositRefused
from esante.services.record import DepositedEvent
from tests.support.dicom import ct_image, file_of, reasons, related, stored, stow, study_files, uids


async def test_study_is_stored_read_back_and_journalled(imaging, world, person):
    files = study_files(person, series=2, instances=2)
    async with imaging.client(world.people["hospital"]) as client:
        answer = await stow(client, files)
        assert answer.status_code == 200, answer.text
        assert stored(answer) == [uids(file)[2] for file in files]
        for file in files:
            study, series, instance = uids(file)
            got = await client.get(
                f"/dicomweb/studies/{study}/series/{series}/instances/{instance}",
                headers={"Accept": "application/dicom"},
            )
            assert (got.status_code, got.content) == (200, file)
    [(entry, event)] = await world.events(person, StudyDeposited)
    assert (event.instances, event.size, len(event.series)) == (4, sum(map(len, files)), 2)
    assert entry.actor.id == world.people["hospital"].id
    assert len(await world.events(person, DepositedEvent)) == 1


async def test_same_bytes_again_give_the_same_answer_and_no_entry(imaging, world, person):
    files = study_files(person)
    async with imaging.client(world.people["hospital"]) as client:
        first = await stow(client, files)
        again = await stow(client, files)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert len(await world.events(person, StudyDeposited)) == 1


async def test_other_bytes_under_a_stored_uid_are_quarantined(imaging, world, person):
    image = ct_image(person)
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [file_of(image)])
        image.PixelData = bytes(512)
        changed = file_of(image)
        answer = await stow(client, [changed])
        assert (answer.status_code, reasons(answer)) == (409, [0x0111])
        study, series, instance = uids(changed)
        got = await client.get(f"/dicomweb/studies/{study}/series/{series}/instances/{instance}/frames/1")
        assert bytes(512) not in got.content
    [found] = [one for one in await fetch_quarantined(world.db, 10) if one.instance_uid == instance]
    assert found.reason == "duplicate"
    assert await imaging.objects.get_named(found.object_name) == changed


async def test_image_of_another_person_is_quarantined_and_only_the_named_person_sees_it(imaging, world, person):
    other = await world.person("Schmit", given=("Paul",), sex="male")
    mixed = ct_image(person, PatientName="Schmit^Paul", PatientBirthDate="19990101")
    async with imaging.client(world.people["hospital"]) as client:
        answer = await stow(client, [file_of(mixed)])
    assert (answer.status_code, reasons(answer)) == (409, [0xA900])
    [(_, event)] = await world.events(person, StudyDepositRefused)
    assert (event.problem, event.allowed) == ("person-differs", False)
    assert "name-differs" in event.differs
    assert await world.events(other, StudyDepositRefused) == []


async def test_some_refused_gives_202_and_the_others_are_stored(imaging, world, person):
    good = study_files(person, instances=2)
    async with imaging.client(world.people["hospital"]) as client:
        answer = await stow(client, [good[0], b"no DICOM file", good[1]])
    assert answer.status_code == 202
    assert (len(stored(answer)), reasons(answer)) == (2, [0xC000])


async def test_person_is_named_by_parameter_where_the_header_has_a_local_number(imaging, world, person):
    image = ct_image(person, PatientID="local-17")
    identifier = person.identifiers[0]
    async with imaging.client(world.people["hospital"]) as client:
        unknown = await stow(client, [file_of(image)])
        assert reasons(unknown) == [0xA900]
        answer = await stow(client, [file_of(image)], patient=f"{identifier.system}|{identifier.value}")
    assert answer.status_code == 200


@pytest.mark.parametrize("who", ["doctor", "laboratory", "patient"])
async def test_only_who_may_write_images_deposits(imaging, world, person, who):
    from esante.identity.access import requester_of

    requester = requester_of(person) if who == "patient" else world.people[who]
    async with imaging.client(requester) as client:
        answer = await stow(client, study_files(person, instances=1))
    expected = 200 if who == "doctor" else 409
    assert answer.status_code == expected, answer.text
    if expected == 409:
        assert reasons(answer) == [0x0124]


async def test_another_organisation_adds_nothing_to_a_study(imaging, world, person):
    first, second = study_files(person, instances=2)
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [first])
    async with imaging.client(world.people["doctor"]) as client:
        answer = await stow(client, [second])
    assert reasons(answer) == [0xA900]


async def test_study_in_the_path_must_be_that_of_the_images(imaging, world, person):
    [file] = study_files(person, instances=1)
    async with imaging.client(world.people["hospital"]) as client:
        answer = await stow(client, [file], "/dicomweb/studies/1.2.3")
        assert reasons(answer) == [0xA900]
        answer = await stow(client, [file], f"/dicomweb/studies/{uids(file)[0]}")
    assert answer.status_code == 200


async def test_single_file_is_stored(imaging, world, person):
    [file] = study_files(person, instances=1)
    async with imaging.client(world.people["hospital"]) as client:
        answer = await client.post("/dicomweb/studies", content=file, headers={"Content-Type": "application/dicom"})
    assert (answer.status_code, len(stored(answer))) == (200, 1)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=x'}, 415),
        ({"Content-Type": 'multipart/related; type="application/dicom"'}, 400),
        ({"Content-Type": "application/dicom", "Accept": "application/pdf"}, 406),
    ],
)
async def test_unsupported_media_types_are_refused(imaging, world, headers, status):
    async with imaging.client(world.people["hospital"]) as client:
        answer = await client.post("/dicomweb/studies", content=b"x", headers=headers)
    assert answer.status_code == status
    assert answer.json()["error_description"]


async def test_truncated_upload_stores_nothing(imaging, world, person):
    files = study_files(person, instances=2)
    body, headers = related(files)
    async with imaging.client(world.people["hospital"]) as client:
        answer = await client.post("/dicomweb/studies", content=body[:-30], headers=headers)
        assert answer.status_code == 400
        study = uids(files[0])[0]
        assert (await client.get(f"/dicomweb/studies/{study}")).status_code == 404
    assert await world.events(person, StudyDeposited) == []


async def test_upload_needs_the_scope(imaging, world, person):
    async with imaging.client(world.people["hospital"], "system/ImagingStudy.rs") as client:
        answer = await stow(client, study_files(person, instances=1))
    assert answer.status_code == 403
