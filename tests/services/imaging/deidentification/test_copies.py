"""Copies for secondary use: two operators, what is left out, what lies apart, and what the patient reads."""

import io
from dataclasses import replace

import orjson
import pytest
from pydicom import dcmread

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.access import Confidentiality, Requester, requester_of
from esante.services.imaging.deidentification.model import StudyCopied
from esante.services.imaging.deidentification.service import Copies
from tests.support.dicom import stow, study_files, uids


@pytest.fixture
def copies(imaging, world):
    """The use cases over the world."""
    return Copies(world.db, world.journal, imaging.archive.contents, world.record, world.directory, world.access)


@pytest.fixture
def operators():
    """Two operators."""
    return [Requester(kind="operator", id=uuid7(), name=name) for name in ("Olivia", "Oskar")]


async def stored(imaging, world, person, **elements) -> str:
    """Store a study of two images; return its UID."""
    files = study_files(person, instances=2, **{"BodyPartExamined": "CHEST"} | elements)
    async with imaging.client(world.people["hospital"]) as client:
        assert (await stow(client, files)).status_code == 200
    return uids(files[0])[0]


async def confirmed(copies, operators, *studies: str):
    """Return a confirmed copy of studies."""
    copy = await copies.propose(operators[0], "Training of a model", "HDAB-2026-17", "\n".join(studies))
    await copies.decide(operators[1], copy.copy_id, confirmed=True)
    return copy


async def test_copy_has_no_identity_and_the_patient_reads_of_it(copies, operators, imaging, world, person, tmp_path):
    study = await stored(imaging, world, person)
    copy = await confirmed(copies, operators, study)
    made = await copies.make(copy.copy_id, tmp_path / "copy")
    files = sorted((tmp_path / "copy/images").iterdir())
    assert (made.instances, len(files), made.left_out) == (2, 2, 0)
    for file in files:
        data = file.read_bytes()
        for mark in (person.family, person.identifiers[0].value, study, person.birth_date.strftime("%Y%m%d")):
            assert mark.encode() not in data
    assert len({dcmread(io.BytesIO(file.read_bytes())).StudyInstanceUID for file in files}) == 1
    [(entry, event)] = await world.events(person, StudyCopied)
    assert (entry.actor.name, event.use) == ("Oskar", "Training of a model (HDAB-2026-17)")


async def test_image_that_may_have_a_name_on_it_lies_apart(copies, operators, imaging, world, person, tmp_path):
    study = await stored(imaging, world, person, Modality="US")
    made = await copies.make((await confirmed(copies, operators, study)).copy_id, tmp_path / "copy")
    assert made.flagged == 2
    assert not (tmp_path / "copy/images").exists()
    index = orjson.loads((tmp_path / "copy/index.json").read_bytes())
    assert {tuple(one["risks"]) for one in index["instances"]} == {("burned-in",)}


async def test_restricted_withdrawn_and_unshared_studies_are_left_out(
    copies, operators, imaging, world, person, tmp_path
):
    patient, hospital = requester_of(person), world.people["hospital"]
    restricted, withdrawn = [await stored(imaging, world, person) for _ in range(2)]
    documents = (await world.record.timeline(patient, person.id)).documents
    by_uid = {value.removeprefix("urn:oid:"): one for one in documents for _, value in one.identifiers}
    await world.record.set_confidentiality(patient, person.id, by_uid[restricted].id, Confidentiality.RESTRICTED)
    await world.record.withdraw(hospital, person.id, by_uid[withdrawn].id, "wrong")
    other = await world.person()
    unshared = await stored(imaging, world, other)
    await world.access.restrictions.set_sharing(requester_of(other), sharing=False, risk_confirmed=True)
    copy = await confirmed(copies, operators, restricted, withdrawn, unshared, "1.2.3.4.5")
    made = await copies.make(copy.copy_id, tmp_path / "copy")
    assert (made.instances, made.left_out) == (0, 4)
    assert await world.events(person, StudyCopied) == []


async def test_nobody_confirms_their_own_proposal_and_nothing_is_made_before(
    copies, operators, imaging, world, person, tmp_path
):
    study = await stored(imaging, world, person)
    copy = await copies.propose(operators[0], "Training of a model", "HDAB-2026-17", study)
    same_person = replace(operators[0], name="Somebody else")
    for refused, status in (
        (copies.decide(same_person, copy.copy_id, confirmed=True), 403),
        (copies.make(copy.copy_id, tmp_path / "copy"), 409),
        (copies.make(uuid7(), tmp_path / "copy"), 404),
    ):
        with pytest.raises(Problem) as problem:
            await refused
        assert problem.value.status == status
    assert not (tmp_path / "copy").exists()
    await copies.decide(operators[0], copy.copy_id, confirmed=False)
    with pytest.raises(Problem):
        await copies.decide(operators[1], copy.copy_id, confirmed=True)


@pytest.mark.parametrize(
    ("purpose", "permit", "studies"), [("", "P-1", "1.2.3"), ("Research", "", "1.2.3"), ("Research", "P-1", "../../x")]
)
async def test_proposal_without_purpose_permit_or_studies_is_refused(copies, operators, purpose, permit, studies):
    with pytest.raises(Problem) as problem:
        await copies.propose(operators[0], purpose, permit, studies)
    assert problem.value.status == 400
