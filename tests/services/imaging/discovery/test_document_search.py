"""ITI-67 over studies: found by study, accession number, modality and region; hidden studies change no answer."""

import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.imaging.model import StudiesSearched
from esante.services.record import Listed
from tests.support.dicom import stow, study_files, uids
from tests.support.record import letter


@pytest.fixture
async def studies(imaging, world, person):
    """A CT of the head and an MR of the knee."""
    head = study_files(person, instances=2, BodyPartExamined="HEAD", AccessionNumber="HEAD-1")
    knee = study_files(
        person,
        instances=1,
        BodyPartExamined="KNEE",
        Modality="MR",
        AccessionNumber="KNEE-1",
        StudyDescription="MR knee",
    )
    async with imaging.client(world.people["hospital"]) as client:
        for files in (head, knee):
            assert (await stow(client, files)).status_code == 200
    return {"CT head": uids(head[0])[0], "MR knee": uids(knee[0])[0]}


async def titles(world, requester, person, **params) -> list[str]:
    async with world.client(requester) as client:
        answer = await client.get("/fhir/DocumentReference", params={"patient": f"Patient/{person.id}"} | params)
        assert answer.status_code == 200
        found = [one["resource"] for one in answer.json().get("entry", ())]
        return sorted(
            one["content"][0]["attachment"]["title"] for one in found if one["resourceType"] != "OperationOutcome"
        )


async def test_each_parameter_finds_its_studies(world, person, studies):
    head = studies["CT head"]
    for params, expected in (
        ({"study-instance-uid": f"urn:oid:{head}"}, ["CT head"]),
        ({"study-instance-uid": f"urn:dicom:uid|urn:oid:{head}"}, ["CT head"]),
        ({"study-instance-uid": head}, ["CT head"]),
        ({"study-instance-uid": "1.2.3"}, []),
        ({"accession-number": "KNEE-1"}, ["MR knee"]),
        ({"accession-number": "urn:other|KNEE-1"}, []),
        ({"modality": "MR"}, ["MR knee"]),
        ({"modality": "http://dicom.nema.org/resources/ontology/DCM|CT"}, ["CT head"]),
        ({"modality": "CT,MR"}, ["CT head", "MR knee"]),
        ({"bodysite": "774007"}, ["CT head"]),
        ({"bodysite": "http://snomed.info/sct|72696002"}, ["MR knee"]),
        ({"anatomical-region": "61685007"}, ["MR knee"]),
        ({"modality": "CT", "bodysite": "61685007"}, []),
        ({"modality": "CT", "accession-number": "HEAD-1", "status": "current"}, ["CT head"]),
        ({"modality": ""}, ["CT head", "MR knee"]),
    ):
        assert await titles(world, world.people["doctor"], person, **params) == expected, params


async def test_count_agrees_with_the_matches(world, person, studies):
    async with world.client(world.people["doctor"]) as client:
        params = {"patient": f"Patient/{person.id}", "modality": "MR", "_summary": "count"}
        assert (await client.get("/fhir/DocumentReference", params=params)).json()["total"] == 1


async def test_documents_that_are_no_studies_are_not_found_by_these(world, person, studies):
    content, meta = letter()
    await world.record.deposit(world.people["hospital"], person.id, content, meta)
    assert await titles(world, world.people["doctor"], person) == ["CT head", "Letter", "MR knee"]
    assert await titles(world, world.people["doctor"], person, modality="CT,MR") == ["CT head", "MR knee"]


async def test_reference_leads_to_the_manifest_and_says_what_the_study_is(world, person, studies):
    async with world.client(world.people["doctor"]) as client:
        params = {"patient": f"Patient/{person.id}", "modality": "CT"}
        [entry] = (await client.get("/fhir/DocumentReference", params=params)).json()["entry"]
        reference = entry["resource"]
        assert (await client.get(f"/fhir/DocumentReference/{reference['id']}")).json() == reference
    [content] = reference["content"]
    assert content["format"]["code"] == "urn:ihe:rad:MADO:fhir-manifest:2026"
    assert content["attachment"]["url"].endswith(f"/dicomweb/studies/{studies['CT head']}/manifest")
    assert reference["masterIdentifier"] in reference["identifier"]
    related = {one["identifier"]["value"] for one in reference["context"]["related"]}
    assert related == {f"urn:oid:{studies['CT head']}", "HEAD-1"}
    modality, site = reference["extension"]
    assert modality["valueCodeableConcept"]["coding"][0]["code"] == "CT"
    assert site["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "774007"


async def test_search_is_journalled_once_as_a_listing(world, person, studies):
    await titles(world, world.people["doctor"], person, modality="CT")
    [(_, event)] = await world.events(person, Listed)
    assert (event.count, event.allowed) == (1, True)
    assert not await world.events(person, StudiesSearched)


async def test_databases_that_differ_in_one_hidden_study_answer_alike(imaging, world, person):
    """The same searches over two persons, of whom one has a hidden study beside."""
    twin = await world.person()
    await world.into_circle(twin, world.people["doctor_entry"])
    answers = []
    for one, with_hidden in ((person, False), (twin, True)):
        patient = requester_of(one)
        async with imaging.client(world.people["hospital"]) as client:
            await stow(client, study_files(one, instances=2, BodyPartExamined="HEAD", AccessionNumber="SAME"))
            hidden = study_files(one, instances=1, BodyPartExamined="KNEE", Modality="MR", StudyDescription="hidden")
            if with_hidden:
                await stow(client, hidden)
                documents = (await world.record.timeline(patient, one.id)).documents
                [document] = [each for each in documents if each.title == "hidden"]
                await world.record.set_confidentiality(patient, one.id, document.id, Confidentiality.HIDDEN)
        found = []
        for params in (
            {},
            {"modality": "MR"},
            {"modality": "CT,MR"},
            {"bodysite": "61685007"},
            {"accession-number": "A-1"},
            {"study-instance-uid": uids(hidden[0])[0]},
            {"_summary": "count"},
            {"_count": "1"},
        ):
            async with world.client(world.people["doctor"]) as client:
                answer = await client.get("/fhir/DocumentReference", params={"patient": f"Patient/{one.id}"} | params)
                body = answer.json()
                shown = [each["resource"].get("extension") for each in body.get("entry", ())]
                found.append(
                    (answer.status_code, body.get("total"), shown, [link["relation"] for link in body["link"]])
                )
        answers.append(found)
        assert await titles(world, patient, one, modality="MR") == (["hidden"] if with_hidden else [])
    assert answers[0] == answers[1]
