"""QIDO-RS: search of one person's studies, series and instances."""

import pytest

from tests.support.dicom import ct_image, file_of, stow, study_files, uids


@pytest.fixture
async def studies(imaging, world, person):
    """The files of two stored studies of the person."""
    first = study_files(person, series=2, instances=2)
    second = study_files(
        person, instances=1, StudyDate="20200105", AccessionNumber="B-2", Modality="MR", StudyDescription="MR knee"
    )
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, [*first, *second])).status_code == 200
    return first, second


@pytest.fixture
async def doctor(imaging, world):
    """A client of a doctor in the circle of the person."""
    async with imaging.client(world.people["doctor"]) as client:
        yield client


async def found(client, path: str, **params) -> list[str]:
    """Return the UIDs that a search finds, of its level."""
    response = await client.get(f"/dicomweb/{path}", params=params)
    assert response.status_code in (200, 204), response.text
    tag = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}[path.rpartition("/")[2]]
    return [row[tag]["Value"][0] for row in response.json()] if response.content else []


async def test_studies_of_a_patient_have_the_attributes_of_the_standard(studies, doctor, person):
    response = await doctor.get("/dicomweb/studies", params={"PatientID": person.identifiers[0].value})
    assert response.headers["content-type"] == "application/dicom+json"
    first = response.json()[0]
    assert first["00080061"]["Value"] == ["CT"]
    assert (first["00201206"]["Value"], first["00201208"]["Value"]) == ([2], [4])
    assert first["00081190"]["Value"][0].endswith(f"/dicomweb/studies/{uids(studies[0][0])[0]}")
    assert first["00100010"]["Value"] == [{"Alphabetic": f"{person.family}^{person.given[0]}"}]
    assert first["00080056"]["Value"] == ["ONLINE"]


@pytest.mark.parametrize(
    ("params", "which"),
    [
        ({}, [0, 1]),
        ({"StudyDate": "20240311"}, [0]),
        ({"StudyDate": "20200101-20201231"}, [1]),
        ({"StudyDate": "-20201231"}, [1]),
        ({"00080020": "20210101-"}, [0]),
        ({"AccessionNumber": "B-2"}, [1]),
        ({"AccessionNumber": "?-2"}, [1]),
        ({"StudyDescription": "*head"}, [0]),
        ({"StudyDescription": "CT*"}, [0]),
        ({"StudyDescription": "*K*"}, []),
        ({"ModalitiesInStudy": "MR"}, [1]),
        ({"PatientName": "weber*"}, [0, 1]),
        ({"PatientName": "Schmit*"}, []),
        ({"limit": "1"}, [0]),
        ({"offset": "1"}, [1]),
        ({"offset": "2"}, []),
    ],
)
async def test_keys_of_studies_match_by_the_rules_of_dicom(studies, doctor, person, params, which):
    wanted = [uids(studies[number][0])[0] for number in which]
    assert await found(doctor, "studies", PatientID=person.identifiers[0].value, **params) == wanted


async def test_series_and_instances_of_a_study_are_found(studies, doctor):
    first, _ = studies
    study, series, instance = uids(first[0])
    assert set(await found(doctor, f"studies/{study}/series")) == {uids(file)[1] for file in first}
    assert await found(doctor, f"studies/{study}/series/{series}/instances") == [uids(file)[2] for file in first[:2]]
    assert len(await found(doctor, f"studies/{study}/instances")) == 4
    assert await found(doctor, "instances", StudyInstanceUID=study, SOPInstanceUID=instance) == [instance]
    assert await found(doctor, "series", StudyInstanceUID=study, SeriesNumber="2") == [uids(first[2])[1]]


async def test_sequence_key_and_included_fields_are_understood(imaging, world, person, doctor):
    from pydicom import Dataset

    item = Dataset()
    item.ScheduledProcedureStepID = "STEP-1"
    image = ct_image(person)
    image.RequestAttributesSequence = [item]
    image.KVP = 120
    file = file_of(image)
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [file])
    study, series, _ = uids(file)
    by_step = {"RequestAttributesSequence.ScheduledProcedureStepID": "STEP-1"}
    assert await found(doctor, f"studies/{study}/series", **by_step) == [series]
    assert await found(doctor, f"studies/{study}/series", **{next(iter(by_step)): "STEP-2"}) == []
    response = await doctor.get(f"/dicomweb/studies/{study}/instances", params={"includefield": "all"})
    assert response.json()[0]["00180060"]["Value"] == [120.0]


async def test_fuzzy_matching_and_further_results_are_warned_of(studies, doctor, person):
    patient = person.identifiers[0].value
    fuzzy = await doctor.get("/dicomweb/studies", params={"PatientID": patient, "fuzzymatching": "true"})
    assert fuzzy.headers["warning"].startswith("299 ")
    part = await doctor.get("/dicomweb/studies", params={"PatientID": patient, "limit": "1"})
    assert "1 additional" in part.headers["warning"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("studies", ""),
        ("studies", "StudyDate=20240311"),
        ("series", "Modality=CT"),
        ("instances", "PatientID=x"),
        ("studies", "PatientID=x&NoKeyword=1"),
        ("studies", "PatientID=x&limit=-1"),
        ("studies", "PatientID=x&offset=a"),
        ("studies", f"PatientID={'9' * 2000}"),
    ],
)
async def test_search_without_a_person_or_with_unknown_parameters_is_refused(doctor, path, query):
    response = await doctor.get(f"/dicomweb/{path}?{query}")
    assert response.status_code == 400
    assert response.json()["error_description"]


async def test_patient_searches_their_own_studies_without_naming_themselves(studies, imaging, person):
    from esante.identity.access import requester_of

    async with imaging.client(requester_of(person)) as client:
        assert await found(client, "studies") == [uids(files[0])[0] for files in studies]


async def test_wildcards_take_a_time_in_proportion_to_the_value():
    from esante.services.imaging.dicomweb.query import parse_query

    query = parse_query([("StudyDescription", "*a" * 40 + "*b")])
    assert not query.matches({"00081030": {"vr": "LO", "Value": ["a" * 20_000]}})
    assert query.matches({"00081030": {"vr": "LO", "Value": ["a" * 40 + "b"]}})
