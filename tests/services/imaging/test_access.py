"""Access on every answer: absence and refusal alike, restrictions, emergency, withdrawal, the access log."""

import pytest

from esante.core.journal import Entry
from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.model import ImagesRefused, SeriesOpened, StudiesSearched, StudyDescribed
from tests.support.dicom import stow, study_files, uids


@pytest.fixture
async def study(imaging, world, person):
    """The files of a stored study."""
    files = study_files(person, series=2, instances=2)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    return files


def paths(file: bytes) -> list[str]:
    """Return an address of every kind that WADO-RS and QIDO-RS have for an instance."""
    study, series, instance = uids(file)
    at_study, at_series = f"/dicomweb/studies/{study}", f"/dicomweb/studies/{study}/series/{series}"
    at_instance = f"{at_series}/instances/{instance}"
    ends = ("", "/metadata", "/rendered", "/thumbnail")
    return [
        *(f"{level}{end}" for level in (at_study, at_series, at_instance) for end in ends),
        f"{at_instance}/frames/1",
        f"{at_instance}/frames/1/rendered",
        f"{at_instance}/frames/1/thumbnail",
        f"{at_instance}/bulkdata/7FE00010",
    ]


async def answers(client, file: bytes) -> list[tuple[int, bytes]]:
    return [((got := await client.get(path)).status_code, got.content) for path in paths(file)]


async def document_of(world, person, requester):
    timeline = await world.record.timeline(requester, person.id)
    [document] = [one for one in timeline.documents if one.category == "imaging_study"]
    return document


async def test_who_may_not_see_a_study_gets_the_answers_of_a_study_that_does_not_exist(imaging, world, person, study):
    never_stored = study_files(person, instances=1)[0]
    async with imaging.client(world.people["other"]) as client:
        refused, absent = await answers(client, study[0]), await answers(client, never_stored)
        assert refused == absent
        assert {status for status, _ in refused} == {404}
        for query in (f"PatientID={person.identifiers[0].value}", f"StudyInstanceUID={uids(study[0])[0]}"):
            assert (await client.get(f"/dicomweb/studies?{query}")).status_code == 204
    refusals = await world.events(person, ImagesRefused)
    assert {event.allowed for _, event in refusals} == {False}
    assert {event.rule for _, event in refusals} == {"no-grant"}


async def test_who_may_see_a_study_gets_every_answer(imaging, world, study):
    async with imaging.client(world.people["doctor"]) as client:
        assert {status for status, _ in await answers(client, study[0])} == {200}


async def test_hidden_study_is_gone_for_all_but_its_depositor_and_the_patient(imaging, world, person, study):
    patient = requester_of(person)
    document = await document_of(world, person, patient)
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    for who, expected in ((world.people["doctor"], {404}), (world.people["hospital"], {200}), (patient, {200})):
        async with imaging.client(who) as client:
            assert {status for status, _ in await answers(client, study[0])} == expected, who.kind


async def test_withdrawn_study_is_gone_and_nothing_is_added_to_it(imaging, world, person, study):
    hospital = world.people["hospital"]
    document = await document_of(world, person, hospital)
    await world.record.withdraw(hospital, person.id, document.id, "of another patient")
    async with imaging.client(hospital) as client:
        assert {status for status, _ in await answers(client, study[0])} == {404}
        assert (
            await client.get("/dicomweb/studies", params={"PatientID": person.identifiers[0].value})
        ).content == b""
        assert (await stow(client, study)).status_code == 409


async def test_restricted_study_is_seen_by_the_circle_and_not_with_a_presence_code(imaging, world, person, study):
    patient = requester_of(person)
    document = await document_of(world, person, patient)
    await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.RESTRICTED)
    code = await world.access.codes.issue(patient)
    await world.access.codes.redeem(world.people["other"], code)
    async with imaging.client(world.people["other"]) as client:
        assert {status for status, _ in await answers(client, study[0])} == {404}
    async with imaging.client(world.people["doctor"]) as client:
        assert {status for status, _ in await answers(client, study[0])} == {200}


async def found_by(imaging, requester, person, study) -> list[int]:
    """Return how many rows each level of search gives for a study."""
    async with imaging.client(requester) as client:
        answers = [
            await client.get(f"/dicomweb/{path}", params={"StudyInstanceUID": uids(study[0])[0]})
            for path in ("studies", "series", "instances")
        ]
    return [len(one.json()) if one.status_code == 200 else 0 for one in answers]


@pytest.mark.parametrize("level", [Confidentiality.RESTRICTED, Confidentiality.HIDDEN])
async def test_restriction_is_kept_by_every_level_of_search(imaging, world, person, study, level):
    patient = requester_of(person)
    assert await found_by(imaging, world.people["doctor"], person, study) == [1, 2, 4]
    document = await document_of(world, person, patient)
    await world.record.set_confidentiality(patient, person.id, document.id, level)
    code = await world.access.codes.issue(patient)
    await world.access.codes.redeem(world.people["other"], code)
    assert await found_by(imaging, world.people["other"], person, study) == [0, 0, 0]


async def test_emergency_opens_every_answer_and_a_block_closes_it(imaging, world, person, study):
    clinic = await world.organization("hospital", "Clinique du Sud")
    rescuer = requester_of(await world.practitioner("Lux", clinic), clinic)
    assert await found_by(imaging, rescuer, person, study) == [0, 0, 0]
    await world.access.emergencies.declare(
        rescuer, person.identifiers[0].value, person.birth_date, "Unconscious after a fall"
    )
    assert await found_by(imaging, rescuer, person, study) == [1, 2, 4]
    async with imaging.client(rescuer) as client:
        assert {status for status, _ in await answers(client, study[0])} == {200}
    opened = await world.events(person, SeriesOpened)
    assert {event.grant_kind for _, event in opened} == {"emergency"}
    other = world.people["other_entry"]
    await world.into_circle(person, other)
    assert await found_by(imaging, world.people["other"], person, study) == [1, 2, 4]
    await world.access.restrictions.block(requester_of(person), "practitioner", other.id, risk_confirmed=True)
    assert await found_by(imaging, world.people["other"], person, study) == [0, 0, 0]
    async with imaging.client(world.people["other"]) as client:
        assert {status for status, _ in await answers(client, study[0])} == {404}


async def test_each_series_is_journalled_once_for_an_opening(imaging, world, person, study):
    async with imaging.client(world.people["doctor"]) as client:
        for _ in range(3):
            for file in study:
                await client.get(paths(file)[8] + "/frames/1")
                await client.get(paths(file)[8])
    opened = await world.events(person, SeriesOpened)
    assert sorted(event.series_uid for _, event in opened) == sorted({uids(file)[1] for file in study})
    assert {event.modality for _, event in opened} == {"CT"}
    assert {entry.actor.id for entry, _ in opened} == {world.people["doctor"].id}
    document = await document_of(world, person, requester_of(person))
    assert {event.documents for _, event in opened} == {(document.id,)}


async def test_another_requester_opens_anew(imaging, world, person, study):
    for who in ("doctor", "hospital"):
        async with imaging.client(world.people[who]) as client:
            await client.get(paths(study[0])[8])
    assert len(await world.events(person, SeriesOpened)) == 2


async def test_search_and_description_are_journalled(imaging, world, person, study):
    async with imaging.client(world.people["doctor"]) as client:
        await client.get("/dicomweb/studies", params={"PatientID": person.identifiers[0].value})
        await client.get(f"/dicomweb/studies/{uids(study[0])[0]}/metadata")
    [(_, searched)] = await world.events(person, StudiesSearched)
    assert (searched.count, searched.allowed) == (1, True)
    [(_, described)] = await world.events(person, StudyDescribed)
    assert described.study_uid == uids(study[0])[0]


async def test_patient_reads_in_the_access_log_who_opened_which_images(imaging, world, person, study):
    async with imaging.client(world.people["doctor"]) as client:
        await client.get(paths(study[0])[8])
    entries = await world.journal.entries_of(person.id, [SeriesOpened], limit=10)
    assert isinstance(entries[0], Entry)
    assert (
        entries[0].event.WORDS % {"actor": "Marc Muller", "categories": "Images"}
        == "Marc Muller opened your images: Images."
    )


async def test_study_is_one_entry_of_the_record(world, person, study):
    timeline = await world.record.timeline(requester_of(person), person.id)
    [document] = timeline.documents
    assert (document.title, document.category, document.event_date.isoformat()) == (
        "CT head",
        "imaging_study",
        "2024-03-11",
    )
    assert document.identifiers == (("urn:ietf:rfc:3986", f"urn:oid:{uids(study[0])[0]}"),)


async def test_databases_that_differ_in_one_hidden_study_answer_alike(imaging, world, person):
    """The same searches and requests by a doctor of two persons, of whom one has a hidden study beside."""
    twin = await world.person()
    await world.into_circle(twin, world.people["doctor_entry"])
    found = []
    for one, with_hidden in ((person, False), (twin, True)):
        async with imaging.client(world.people["hospital"]) as client:
            shown = study_files(one, instances=2, AccessionNumber="SAME")
            await stow(client, shown)
            hidden = study_files(one, instances=1, StudyDescription="hidden")[0]
            if with_hidden:
                await stow(client, [hidden])
                timeline = await world.record.timeline(requester_of(one), one.id)
                [document] = [each for each in timeline.documents if each.title == "hidden"]
                await world.record.set_confidentiality(requester_of(one), one.id, document.id, Confidentiality.HIDDEN)
        async with imaging.client(world.people["doctor"]) as client:
            answer = await client.get("/dicomweb/studies", params={"PatientID": one.identifiers[0].value})
            rows = [(row["00080050"], row["00080061"], row["00201206"], row["00201208"]) for row in answer.json()]
            limited = await client.get(
                "/dicomweb/studies", params={"PatientID": one.identifiers[0].value, "limit": "1"}
            )
            found.append((rows, limited.headers.get("warning"), await answers(client, hidden)))
    assert found[0] == found[1]


async def test_study_is_found_as_a_resource_over_fhir(world, person, study):
    async with world.client(world.people["doctor"]) as client:
        answer = await client.get("/fhir/ImagingStudy", params={"patient": f"Patient/{person.id}"})
        [entry] = answer.json()["entry"]
        assert entry["resource"]["identifier"][0]["value"] == f"urn:oid:{uids(study[0])[0]}"
        references = await client.get(
            "/fhir/DocumentReference",
            params={"patient": f"Patient/{person.id}", "identifier": f"urn:ietf:rfc:3986|urn:oid:{uids(study[0])[0]}"},
        )
    assert len(references.json()["entry"]) == 1
