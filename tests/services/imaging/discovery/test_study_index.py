"""ImagingStudy over FHIR: read and search as the archive has the study, decided as every resource of the record."""

from esante.identity.access import Confidentiality, requester_of
from tests.support.dicom import stow, study_files, uids


async def deposit(imaging, world, files) -> None:
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200


async def search(world, requester, person, **params) -> list[dict]:
    async with world.client(requester) as client:
        answer = await client.get("/fhir/ImagingStudy", params={"patient": f"Patient/{person.id}"} | params)
        assert answer.status_code == 200
        return [one["resource"] for one in answer.json().get("entry", ())]


async def test_resource_has_the_series_of_the_archive(imaging, world, person, follow):
    files = study_files(person, series=2, instances=2, BodyPartExamined="CHEST")
    await deposit(imaging, world, files)
    await follow(person)
    [study] = await search(world, world.people["doctor"], person)
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 4)
    assert sorted(one["uid"] for one in study["series"]) == sorted({uids(one)[1] for one in files})
    assert [one["numberOfInstances"] for one in study["series"]] == [2, 2]
    assert {one["bodySite"]["code"] for one in study["series"]} == {"816094009"}
    assert study["started"].startswith("2024-03-11")
    assert study["subject"]["reference"] == f"Patient/{person.id}"
    [endpoint] = [one for one in study["contained"] if one["connectionType"]["code"] == "dicom-wado-rs"]
    assert endpoint["address"].endswith("/dicomweb")


async def test_resource_is_searched_by_what_comes_later(imaging, world, person, follow):
    doctor, study_uid = world.people["doctor"], None
    first = study_files(person, instances=1)
    study_uid = uids(first[0])[0]
    await deposit(imaging, world, first)
    await follow(person)
    assert not await search(world, doctor, person, modality="MR")
    later = study_files(person, instances=1, StudyInstanceUID=study_uid, Modality="MR", BodyPartExamined="KNEE")
    await deposit(imaging, world, later)
    await follow(person)
    for params in (
        {"modality": "MR"},
        {"modality": "CT"},
        {"bodysite": "72696002"},
        {"started": "2024-03-11"},
        {"identifier": f"urn:oid:{study_uid}"},
        {"identifier": "A-1"},
        {"series": uids(later[0])[1]},
    ):
        assert len(await search(world, doctor, person, **params)) == 1, params
    for params in ({"modality": "US"}, {"bodysite": "816094009"}, {"started": "2023"}, {"series": "1.2.3"}):
        assert not await search(world, doctor, person, **params), params


async def test_read_gives_the_current_version_and_history_both(imaging, world, person, follow):
    await deposit(imaging, world, study_files(person, instances=2))
    [stub] = await search(world, world.people["doctor"], person)
    assert "series" not in stub
    await follow(person)
    async with world.client(world.people["doctor"]) as client:
        current = (await client.get(f"/fhir/ImagingStudy/{stub['id']}")).json()
        history = (await client.get(f"/fhir/ImagingStudy/{stub['id']}/_history")).json()
    assert current["series"][0]["numberOfInstances"] == 2
    assert [one["resource"]["meta"]["versionId"] for one in history["entry"]] == ["1", stub["meta"]["versionId"]]


async def test_deposits_that_change_nothing_write_no_version(imaging, world, person, follow):
    await deposit(imaging, world, study_files(person, instances=1))
    for _ in range(3):
        await follow(person)
    [study] = await search(world, world.people["doctor"], person)
    assert study["meta"]["versionId"] == "1"


async def test_hidden_study_is_found_by_its_patient_only(imaging, world, person, follow):
    await deposit(imaging, world, study_files(person, instances=1))
    await follow(person)
    patient = requester_of(person)
    [document] = (await world.record.timeline(patient, person.id)).documents
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    assert len(await search(world, patient, person, modality="CT")) == 1
    assert not await search(world, world.people["doctor"], person, modality="CT")


async def test_withdrawn_study_is_followed_no_more(imaging, world, person, follow):
    await deposit(imaging, world, study_files(person, instances=1))
    hospital = world.people["hospital"]
    [document] = (await world.record.timeline(hospital, person.id)).documents
    await world.record.withdraw(hospital, person.id, document.id, "of another patient")
    await follow(person)
    assert not await search(world, world.people["doctor"], person)
