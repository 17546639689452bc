"""Priors: earlier studies of the same region that the requester may see, and no other."""

import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.model import StudiesSearched
from tests.support.dicom import stow, study_files, uids


@pytest.fixture
async def studies(imaging, world, person):
    """The Study UIDs by description: a chest X-ray of 2024, and others before and after it."""
    found = {}
    async with imaging.client(world.people["hospital"]) as client:
        for name, elements in {
            "chest 2024": {"StudyDate": "20240601", "BodyPartExamined": "CHEST", "Modality": "DX"},
            "chest 2020": {"StudyDate": "20200601", "BodyPartExamined": "CHEST", "Modality": "DX"},
            "lung 2022": {"StudyDate": "20220601", "BodyPartExamined": "LUNG", "Modality": "CT"},
            "whole body 2019": {"StudyDate": "20190601", "BodyPartExamined": "WHOLEBODY", "Modality": "PT"},
            "chest 2025": {"StudyDate": "20250601", "BodyPartExamined": "CHEST", "Modality": "DX"},
            "knee 2021": {"StudyDate": "20210601", "BodyPartExamined": "KNEE", "Modality": "MR"},
            "unknown 2018": {"StudyDate": "20180601", "Modality": "OT"},
        }.items():
            files = study_files(person, instances=1, StudyDescription=name, **elements)
            assert (await stow(client, files)).status_code == 200
            found[name] = uids(files[0])[0]
    return found


async def names(imaging, priors, requester, study_uid) -> list[tuple[str, bool]]:
    opened = await imaging.archive.study(requester, study_uid, "page")
    return [(one.visible.document.title, one.same_modality) for one in await priors.find(requester, opened)]


async def test_earlier_studies_of_the_region_come_the_latest_first(imaging, world, studies, priors):
    assert await names(imaging, priors, world.people["doctor"], studies["chest 2024"]) == [
        ("lung 2022", False),
        ("chest 2020", True),
        ("whole body 2019", False),
    ]


async def test_study_without_a_region_has_no_priors(imaging, world, studies, priors):
    assert await names(imaging, priors, world.people["doctor"], studies["unknown 2018"]) == []


async def test_hidden_prior_is_shown_to_the_patient_only_and_leaves_no_trace(imaging, world, person, studies, priors):
    patient, doctor = requester_of(person), world.people["doctor"]
    documents = (await world.record.timeline(patient, person.id)).documents
    [document] = [one for one in documents if one.title == "lung 2022"]
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    expected = [("chest 2020", True), ("whole body 2019", False)]
    assert await names(imaging, priors, doctor, studies["chest 2024"]) == expected
    assert len(await names(imaging, priors, patient, studies["chest 2024"])) == 3
    first, second = [event for _, event in await world.events(person, StudiesSearched)]
    assert (first.count, document.id in first.documents) == (2, False)
    assert second.count == 3
