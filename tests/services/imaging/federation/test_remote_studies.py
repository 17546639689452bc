"""A study whose images stay in the hospital: deposited as manifest, opened through the platform, decided and journalled."""

import asyncio
import io
import zipfile
from dataclasses import replace

import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.archive.store import fetch_instances
from esante.services.imaging.manifest.fhir_reader import read_fhir
from esante.services.imaging.manifest.fhir_writer import write_fhir
from esante.services.imaging.manifest.kos_writer import write_kos
from esante.services.imaging.model import SeriesOpened, StudyDeposited, StudyDepositRefused
from tests.support.dicom import stow, study_files, uids
from tests.support.hospital_archive import LOCATION
from tests.support.manifests import manifest_of_files

OWNER = "SELECT person_id FROM imaging_study_person WHERE study_uid = $1"
KOS, FHIR = "application/dicom", "application/fhir+json"
ONE = {"Accept": "application/dicom; transfer-syntax=*"}


def url(file: bytes, *, level: str = "instance") -> str:
    study, series, instance = uids(file)
    at_study = f"/dicomweb/studies/{study}"
    return {"study": at_study, "series": f"{at_study}/series/{series}"}.get(
        level, f"{at_study}/series/{series}/instances/{instance}"
    )


async def deposit(imaging, requester, manifest, media_type=KOS, **params):
    write = write_kos if media_type == KOS else write_fhir
    async with imaging.client(requester) as client:
        return await client.post(
            f"/dicomweb/studies/{manifest.study_uid}/manifest",
            content=write(manifest),
            headers={"Content-Type": media_type},
            params=params,
        )


@pytest.fixture
async def study(imaging, world, person, hospital, manifest_for):
    """The files of a study that is in the hospital's archive, and of which the platform has the manifest."""
    files = study_files(person, series=2, instances=2, BodyPartExamined="CHEST")
    hospital.hold(files)
    answer = await deposit(imaging, world.people["hospital"], manifest_for(person, files))
    assert answer.status_code == 201, answer.text
    return files


@pytest.mark.parametrize("media_type", [KOS, FHIR])
async def test_study_is_in_the_record_and_nothing_was_asked_of_the_hospital(
    imaging, world, person, hospital, manifest_for, media_type
):
    files = study_files(person, series=2, instances=3)
    hospital.hold(files)
    answer = await deposit(imaging, world.people["hospital"], manifest_for(person, files), media_type)
    assert (answer.status_code, answer.json()["instances"]) == (201, 6)
    [document] = (await world.record.timeline(requester_of(person), person.id)).documents
    assert (document.category, document.title) == ("imaging_study", "CT head")
    async with imaging.client(world.people["doctor"]) as client:
        [row] = (await client.get("/dicomweb/studies", params={"PatientID": person.identifiers[0].value})).json()
    assert (row["00201206"]["Value"], row["00201208"]["Value"], row["00080061"]["Value"]) == ([2], [6], ["CT"])
    assert hospital.requests == []
    [(_, event)] = await world.events(person, StudyDeposited)
    assert (event.instances, event.size) == (6, 0)


async def test_images_come_from_the_hospital_and_the_opening_is_journalled(imaging, world, person, hospital, study):
    async with imaging.client(world.people["doctor"]) as client:
        got = await client.get(url(study[0]), headers=ONE)
        frame = await client.get(f"{url(study[0])}/frames/1")
        rendered = await client.get(f"{url(study[0])}/rendered")
        thumbnail = await client.get(f"{url(study[0], level='study')}/thumbnail")
        ranged = await client.get(url(study[0]), headers=ONE | {"Range": "bytes=100-131"})
    assert got.content == study[0]
    assert study[0][-512:] in frame.content
    assert (rendered.status_code, rendered.headers["content-type"]) == (200, "image/jpeg")
    assert thumbnail.status_code == 200
    assert (ranged.status_code, ranged.content) == (206, study[0][100:132])
    opened = await world.events(person, SeriesOpened)
    assert {uids(study[0])[1]} <= {event.series_uid for _, event in opened}
    assert len([path for path in hospital.requests if path.endswith(uids(study[0])[2])]) == 1


async def test_series_and_study_come_whole_with_the_headers_of_the_hospital(imaging, world, hospital, study):
    async with imaging.client(world.people["doctor"]) as client:
        whole = await client.get(
            url(study[0], level="study"), headers={"Accept": 'multipart/related; type="application/dicom"'}
        )
        packed = await client.get(url(study[0], level="study"), headers={"Accept": "application/zip"})
        headers = await client.get(f"{url(study[0], level='series')}/metadata")
    assert all(file in whole.content for file in study)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.read(name) for name in archive.namelist()) == sorted(study)
    assert {one["00080018"]["Value"][0] for one in headers.json()} == {uids(one)[2] for one in study[:2]}
    assert {one["00280010"]["Value"][0] for one in headers.json()} == {16}
    assert b"secret" not in headers.content
    assert hospital.url.encode() not in headers.content
    bulk = headers.json()[0]["7FE00010"]["BulkDataURI"]
    async with imaging.client(world.people["doctor"]) as client:
        assert study[0][-512:] in (await client.get(bulk)).content


async def test_manifest_of_the_platform_leads_to_the_platform_and_keeps_the_hashes(imaging, world, study):
    async with imaging.client(world.people["doctor"]) as client:
        manifest = read_fhir((await client.get(f"{url(study[0], level='study')}/manifest")).content)
    assert {one.location.url for one in manifest.series} == {"http://esante.test/dicomweb"}
    assert manifest.merkle_root
    assert manifest.regions == ("67734004",)


async def test_who_may_not_see_the_study_gets_nothing_and_the_hospital_is_not_asked(
    imaging, world, person, hospital, study
):
    patient = requester_of(person)
    [document] = (await world.record.timeline(patient, person.id)).documents
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    absent = study_files(person, instances=1)[0]
    for end in ("", "/metadata", "/frames/1", "/rendered", "/thumbnail"):
        async with imaging.client(world.people["doctor"]) as client:
            refused, missing = await client.get(url(study[0]) + end), await client.get(url(absent) + end)
        assert (refused.status_code, refused.content) == (404, missing.content)
    assert hospital.requests == []
    async with imaging.client(patient) as client:
        assert (await client.get(url(study[0]), headers=ONE)).content == study[0]


async def test_instance_that_the_manifest_does_not_have_is_not_asked_for(imaging, world, person, hospital, study):
    study_uid, series_uid, _ = uids(study[0])
    [secret] = study_files(person, instances=1, StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid)
    hospital.hold([secret])
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(secret), headers=ONE)).status_code == 404
        headers = await client.get(f"{url(secret, level='series')}/metadata")
    assert not any(uids(secret)[2] in path for path in hospital.requests)
    assert uids(secret)[2].encode() not in headers.content


@pytest.mark.parametrize("failure", ["error", "slow", "cut", "open", "html", "redirect"])
async def test_failing_hospital_leaves_the_record_usable_and_nothing_is_opened(
    imaging, world, person, hospital, study, failure
):
    hospital.failure = failure
    async with imaging.client(world.people["doctor"]) as client:
        for end in ("", "/frames/1", "/rendered"):
            answer = await client.get(url(study[0]) + end)
            assert answer.status_code == 503, (end, answer.text)
            assert answer.headers["retry-after"]
        assert (
            await client.get("/dicomweb/studies", params={"StudyInstanceUID": uids(study[0])[0]})
        ).status_code == 200
        assert (await client.get(f"{url(study[0], level='study')}/manifest")).status_code == 200
    assert len((await world.record.timeline(world.people["doctor"], person.id)).documents) == 1
    assert not await world.events(person, SeriesOpened)
    hospital.forget()
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(study[0]), headers=ONE)).content == study[0]


async def test_hospital_that_failed_is_left_alone_for_a_while(imaging, world, hospital, study, monkeypatch):
    from esante.services.imaging.federation import hospital_client

    monkeypatch.setattr(hospital_client, "PAUSE_SECONDS", 60.0)
    hospital.failure = "slow"
    async with imaging.client(world.people["doctor"]) as client:
        for _ in range(3):
            assert (await client.get(url(study[0]))).status_code == 503
    assert len(hospital.requests) == 1
    imaging.client_of_hospitals._paused.clear()


async def test_other_bytes_than_the_manifest_has_are_not_shown(imaging, world, person, hospital, study):
    [changed] = study_files(
        person,
        instances=1,
        **dict(zip(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), uids(study[0]), strict=True)),
        SeriesDescription="changed",
    )
    hospital.hold([changed])
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(study[0]), headers=ONE)).status_code == 503


def without_hashes(manifest):
    """Return a manifest as hospitals make it that know no hashes."""
    series = tuple(
        replace(one, instances=tuple(replace(each, sha256=b"") for each in one.instances)) for one in manifest.series
    )
    return replace(manifest, series=series)


@pytest.mark.parametrize("failure", ["cut", "open", "other"])
async def test_without_hashes_what_is_not_whole_or_another_instance_is_not_shown(
    imaging, world, person, hospital, manifest_for, failure
):
    files = study_files(person, instances=2)
    hospital.hold(files)
    await deposit(imaging, world.people["hospital"], without_hashes(manifest_for(person, files)))
    hospital.failure = failure
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(files[0]), headers=ONE)).status_code == 503
        hospital.forget()
        assert (await client.get(url(files[0]), headers=ONE)).content == files[0]


async def test_image_of_another_patient_is_not_shown(imaging, world, person, hospital, manifest_for):
    files = study_files(person, instances=1)
    without_hash = without_hashes(manifest_for(person, files))
    assert (await deposit(imaging, world.people["hospital"], without_hash)).status_code == 201
    names = dict(zip(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), uids(files[0]), strict=True))
    other = await world.person("Schmit", given=("Paul",), sex="male")
    hospital.hold(study_files(other, instances=1, **names))
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(files[0]), headers=ONE)).status_code == 503
        assert (await client.get(f"{url(files[0], level='series')}/metadata")).status_code == 503
        hospital.hold(files)
        assert (await client.get(url(files[0]), headers=ONE)).content == files[0]


async def test_many_requests_for_an_instance_are_one_to_the_hospital(imaging, world, hospital, study):
    async with imaging.client(world.people["doctor"]) as client:
        answers = await asyncio.gather(*(client.get(url(study[0]), headers=ONE) for _ in range(10)))
    assert {one.content for one in answers} == {study[0]}
    assert len(hospital.requests) == 1


async def test_token_of_the_archive_is_sent_from_its_file(imaging, world, person, hospital, study, tmp_path):
    (tmp_path / "token").write_text("t0ken\n")
    await imaging.locations.set(
        LOCATION, world.people["hospital"].id, "Hôpital", hospital.url, str(tmp_path / "token")
    )
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(study[1]), headers=ONE)).status_code == 200
    assert hospital.tokens == {"Bearer t0ken"}


async def test_listed_instance_is_resolved_before_its_bytes_are_read(imaging, world, hospital, study):
    [listed, *_] = await fetch_instances(
        world.db, (await world.db.fetchval(OWNER, uids(study[0])[0])), [uids(study[0])[0]]
    )
    with pytest.raises(ValueError, match="resolved"):
        await imaging.archive.contents.read(listed, ((0, listed.size),))
    found = await imaging.archive.contents.resolved(listed)
    assert await imaging.archive.contents.read(found, ((0, found.size),)) in study


# Deposits


async def test_same_manifest_again_changes_nothing_and_a_larger_one_adds(
    imaging, world, person, hospital, manifest_for, study
):
    for _ in range(2):
        assert (await deposit(imaging, world.people["hospital"], manifest_for(person, study))).status_code == 201
    study_uid, series_uid, _ = uids(study[0])
    more = study_files(person, instances=1, StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid)
    hospital.hold(more)
    assert (await deposit(imaging, world.people["hospital"], manifest_for(person, [*study, *more]))).status_code == 201
    events = [event for _, event in await world.events(person, StudyDeposited)]
    assert [one.instances for one in events] == [4, 1]
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(more[0]), headers=ONE)).content == more[0]


async def test_archive_that_is_unknown_or_of_another_organisation_is_refused(
    imaging, world, person, hospital, manifest_for
):
    files = study_files(person, instances=1)
    unknown = manifest_of_files(person, files)
    assert (await deposit(imaging, world.people["hospital"], unknown)).status_code == 422
    answer = await deposit(imaging, world.people["laboratory"], manifest_for(person, files))
    assert answer.status_code == 422
    assert not (await world.record.timeline(requester_of(person), person.id)).documents


async def test_manifest_about_another_patient_is_refused_and_journalled(
    imaging, world, person, hospital, manifest_for
):
    other = await world.person("Schmit", given=("Paul",), sex="male")
    manifest = manifest_for(other, study_files(other, instances=1))
    wanted = person.identifiers[0]
    answer = await deposit(imaging, world.people["hospital"], manifest, patient=f"{wanted.system}|{wanted.value}")
    assert answer.status_code == 409
    [(_, event)] = await world.events(person, StudyDepositRefused)
    assert event.problem == "person-differs"


async def test_study_that_is_stored_here_is_not_moved_to_a_hospital(imaging, world, person, hospital, manifest_for):
    files = study_files(person, instances=1)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    assert (await deposit(imaging, world.people["hospital"], manifest_for(person, files))).status_code == 409
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(url(files[0]), headers=ONE)).content == files[0]
    assert hospital.requests == []


async def test_doctor_without_the_right_to_deposit_is_refused(imaging, world, person, hospital, manifest_for):
    async with imaging.client(world.people["hospital"], "system/ImagingStudy.r") as client:
        answer = await client.post("/dicomweb/studies/1.2.3/manifest", content=b"", headers={"Content-Type": KOS})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [(b"{}", FHIR, 422), (b"MZ", KOS, 422), (b"<a/>", "text/xml", 415), (b"", KOS, 422), (b"x" * 2**21, FHIR, 422)],
)
async def test_what_is_no_manifest_is_refused_with_its_place(imaging, world, body, media_type, status):
    async with imaging.client(world.people["hospital"]) as client:
        answer = await client.post(
            "/dicomweb/studies/1.2.3/manifest", content=body, headers={"Content-Type": media_type}
        )
    assert (answer.status_code, "Traceback" in answer.text) == (status, False)


async def test_deleted_study_leaves_no_object_to_remove(imaging, world, person, study):
    from esante.core import clock
    from esante.services.imaging.archive.deletion_store import delete_studies

    async with world.db.transaction() as conn:
        assert await delete_studies(conn, person.id, [uids(study[0])[0]], clock.now()) == 4
    assert await world.db.fetchval("SELECT count(*) FROM imaging_object_removal WHERE object_name = ''") == 0
