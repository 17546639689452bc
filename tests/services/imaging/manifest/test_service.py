"""Manifests as professionals and patients get them: the access decision, the journal, both formats, the root."""

import hashlib
from dataclasses import replace

import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.manifest.fhir_reader import read_fhir
from esante.services.imaging.manifest.kos_reader import read_kos
from esante.services.imaging.model import ImagesRefused, StudyDescribed
from tests.services.imaging.manifest.test_round_trip import tree_root
from tests.support.dicom import stow, study_files, uids


@pytest.fixture
async def study(imaging, world, person):
    """The files of a stored study."""
    files = study_files(person, series=2, instances=2, BodyPartExamined="HEAD", Laterality="L")
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    return files


def path(file: bytes) -> str:
    return f"/dicomweb/studies/{uids(file)[0]}/manifest"


async def test_both_formats_say_the_same_of_a_stored_study(imaging, world, person, study):
    async with imaging.client(world.people["doctor"]) as client:
        as_fhir = await client.get(path(study[0]))
        as_kos = await client.get(path(study[0]), headers={"Accept": "application/dicom"})
    assert as_fhir.headers["content-type"] == "application/fhir+json"
    assert as_kos.headers["content-type"] == "application/dicom"
    manifest = read_fhir(as_fhir.content)
    assert replace(read_kos(as_kos.content), created=manifest.created) == manifest
    assert {(one.uid, i.uid) for one in manifest.series for i in one.instances} == {uids(one)[1:] for one in study}
    assert manifest.regions == ("774007",)
    assert [(one.modality, one.body_site.code, one.laterality) for one in manifest.series] == [
        ("CT", "69536005", "L")
    ] * 2
    assert (manifest.organization, manifest.patient.family) == ("Hôpital du Nord", person.family)


async def test_root_is_that_of_the_bytes_as_deposited(imaging, world, study):
    async with imaging.client(world.people["doctor"]) as client:
        manifest = read_fhir((await client.get(path(study[0]))).content)
    hashes = [hashlib.sha256(one).digest() for one in sorted(study, key=lambda one: uids(one)[2])]
    assert manifest.merkle_root == tree_root(hashes)


async def test_manifest_changes_its_uid_when_an_instance_comes_and_not_otherwise(imaging, world, person, study):
    study_uid, series_uid, _ = uids(study[0])
    more = study_files(person, instances=1, StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid)
    async with imaging.client(world.people["hospital"]) as client:
        first, again = [read_fhir((await client.get(path(study[0]))).content) for _ in range(2)]
        await stow(client, more)
        third = read_fhir((await client.get(path(study[0]))).content)
    assert first == again
    assert first.uid != third.uid
    assert len([*third.instances()]) == 5


async def test_refused_and_absent_manifests_are_answered_alike_and_the_refusal_is_journalled(
    imaging, world, person, study
):
    never_stored = study_files(person, instances=1)[0]
    async with imaging.client(world.people["other"]) as client:
        refused, absent = await client.get(path(study[0])), await client.get(path(never_stored))
    assert (refused.status_code, refused.content) == (404, absent.content)
    [(_, event)] = await world.events(person, ImagesRefused)
    assert (event.action, event.allowed) == ("manifest", False)


async def test_hidden_study_has_a_manifest_for_its_patient_only(imaging, world, person, study):
    patient = requester_of(person)
    [document] = (await world.record.timeline(patient, person.id)).documents
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    for who, expected in ((patient, 200), (world.people["doctor"], 404)):
        async with imaging.client(who) as client:
            assert (await client.get(path(study[0]))).status_code == expected


async def test_reading_a_manifest_is_journalled(imaging, world, person, study):
    async with imaging.client(requester_of(person)) as client:
        await client.get(path(study[0]))
    [(entry, event)] = await world.events(person, StudyDescribed)
    assert (entry.actor.id, event.study_uid, event.allowed) == (person.id, uids(study[0])[0], True)


@pytest.mark.parametrize("accept", ["image/jpeg", "text/html", "multipart/related; type=application/dicom"])
async def test_format_that_is_not_offered_is_refused_before_anything_is_journalled(
    imaging, world, person, study, accept
):
    async with imaging.client(world.people["doctor"]) as client:
        assert (await client.get(path(study[0]), headers={"Accept": accept})).status_code == 406
    assert not await world.events(person, StudyDescribed)
