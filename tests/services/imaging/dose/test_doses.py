"""Doses of a person: sums over studies, each irradiation once, only of studies that the requester may see."""

import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.demo.dose_reports import ct_dose_report
from esante.services.imaging.dose.report import Quantity
from esante.services.imaging.dose.service import Doses
from esante.services.imaging.model import DosesViewed
from tests.support.dicom import ct_image, file_of, stow, uids

CHEST = ("51185008", "SCT", "Chest")


def dose_file(person, irradiations, study_on: str = "20240311") -> bytes:
    """Return a dose report of a person as a DICOM file."""
    report = ct_dose_report(irradiations)
    image = ct_image(person, StudyDate=study_on)
    for keyword in ("Rows", "Columns", "PixelData", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(image, keyword)
    del image.SamplesPerPixel, image.PhotometricInterpretation
    image.update(report)
    image.Modality = "SR"
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    return file_of(image)


@pytest.fixture
def doses(imaging, world):
    """The use case over the world."""
    return Doses(world.db, imaging.archive, world.record, world.directory)


@pytest.fixture
async def files(imaging, world, person):
    """Two stored studies of different years; the second report also lists the irradiation of the first."""
    found = [
        dose_file(person, [("1.9.1", CHEST, 100.0)], "20230105"),
        dose_file(person, [("1.9.1", CHEST, 100.0), ("1.9.2", CHEST, 200.0)], "20250607"),
    ]
    async with imaging.client(world.people["hospital"]) as client:
        for file in found:
            assert (await stow(client, [file])).status_code == 200
    return found


async def test_doses_are_summed_by_year_and_each_irradiation_counts_once(doses, person, files):
    history = await doses.history(requester_of(person), person.id)
    assert sum(one.amounts[Quantity.DLP] for one in history.doses) == 300.0
    assert history.effective == pytest.approx(300 * 0.014)
    assert [year for year, _ in history.by_year] == [2023, 2024, 2025]
    assert history.by_year[1][1] == 0.0
    assert sum(value for _, value in history.by_year) == pytest.approx(history.effective)


async def test_dose_of_a_hidden_study_is_not_in_the_sum_of_a_doctor(doses, world, person, files):
    patient = requester_of(person)
    timeline = await world.record.timeline(patient, person.id)
    [hidden] = [one for one in timeline.documents if any(uids(files[1])[0] in value for _, value in one.identifiers)]
    await world.record.set_confidentiality(patient, person.id, hidden.id, Confidentiality.HIDDEN)
    history = await doses.history(world.people["doctor"], person.id)
    assert [one.study.study_uid for one in history.doses] == [uids(files[0])[0]]
    assert history.effective == pytest.approx(100 * 0.014)


async def test_reading_doses_is_in_the_access_log_and_refused_without_access(doses, world, person, files):
    await doses.history(world.people["doctor"], person.id)
    stranger = await doses.history(world.people["other"], person.id)
    assert stranger.doses == () and not stranger.verdict.allowed
    entries = [event for _, event in await world.events(person, DosesViewed)]
    assert sorted((event.allowed, event.count) for event in entries) == [(False, 0), (True, 2)]
