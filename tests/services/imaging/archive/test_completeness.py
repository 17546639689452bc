"""Whether a study is complete: by a manifest, by counts in headers, and silence where nobody said anything."""

import pytest
from pydicom import Dataset

from esante.services.imaging.archive.completeness import MANIFEST, Completeness, find_completeness
from tests.support.dicom import ct_image, file_of, stow, study_files, uids


async def completeness(imaging, world, person, files):
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    study = uids(files[0])[0]
    return (await find_completeness(world.db, person.id, [study])).get(study)


def manifest_of(person, files) -> bytes:
    """Return a Key Object Selection that names the instances of files."""
    study = uids(files[0])[0]
    image = ct_image(person, SOPClassUID=MANIFEST, StudyInstanceUID=study, Modality="KO")
    for name in ("PixelData", "Rows", "Columns"):
        delattr(image, name)
    of_series: dict[str, list[Dataset]] = {}
    for file in files:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = (
            "1.2.840.10008.5.1.4.1.1.2",
            uids(file)[2],
        )
        of_series.setdefault(uids(file)[1], []).append(reference)
    evidence = Dataset()
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = study, []
    for series_uid, references in of_series.items():
        series = Dataset()
        series.SeriesInstanceUID, series.ReferencedSOPSequence = series_uid, references
        evidence.ReferencedSeriesSequence.append(series)
    image.CurrentRequestedProcedureEvidenceSequence = [evidence]
    return file_of(image)


async def test_nothing_is_known_of_a_study_whose_sender_said_nothing(imaging, world, person):
    assert await completeness(imaging, world, person, study_files(person, instances=2)) is None


@pytest.mark.parametrize(("expected", "complete"), [(3, True), (2, True), (4, False)])
async def test_number_of_instances_of_the_study_in_a_header_is_expected(imaging, world, person, expected, complete):
    files = study_files(person, instances=3, NumberOfStudyRelatedInstances=expected)
    found = await completeness(imaging, world, person, files)
    assert found == Completeness(3, expected)
    assert found.is_complete is complete


async def test_missing_series_is_told_by_the_number_of_series(imaging, world, person):
    files = study_files(person, series=2, instances=1, NumberOfStudyRelatedSeries=3)
    found = await completeness(imaging, world, person, files)
    assert (found, found.is_complete) == (Completeness(2, 3, by_series=True), False)


async def test_instances_of_every_series_are_added_up_when_all_series_are_there(imaging, world, person):
    said = {"NumberOfStudyRelatedSeries": 2, "NumberOfSeriesRelatedInstances": 3}
    found = await completeness(imaging, world, person, study_files(person, series=2, instances=2, **said))
    assert found == Completeness(4, 6)


async def test_instances_of_series_alone_say_nothing_of_the_study(imaging, world, person):
    files = study_files(person, series=1, instances=2, NumberOfSeriesRelatedInstances=2)
    assert await completeness(imaging, world, person, files) is None


async def test_manifest_that_comes_later_says_what_is_missing(imaging, world, person):
    files = study_files(person, series=2, instances=2, NumberOfStudyRelatedInstances=1)
    manifest = manifest_of(person, files)
    assert await completeness(imaging, world, person, [*files[:3], manifest]) == Completeness(3, 4)
    assert (await completeness(imaging, world, person, [files[3]])).is_complete


async def test_instances_of_another_person_do_not_complete_a_study(imaging, world, person):
    another = await world.person()
    theirs = study_files(another, instances=1)
    await completeness(imaging, world, another, theirs)
    files = study_files(person, instances=1)
    manifest = manifest_of(person, files)
    study = uids(files[0])[0]
    assert (await completeness(imaging, world, person, [manifest])) == Completeness(0, 1)
    assert await find_completeness(world.db, another.id, [study]) == {}
