"""A study that a requester may not see causes no work: two persons who differ in it cost the same, and answer alike.

Statements with the lengths of their lists and their rows, and what is read of objects, are counted.
"""

import re
from collections import Counter

import pytest

from esante.core.storage import Objects
from esante.identity.access import Confidentiality, requester_of
from tests.conftest import create_database, open_journal
from tests.support.dicom import Imaging, stow, study_files, uids
from tests.support.record import open_world
from tests.support.work import Work, counted_work

_NUMBERS = re.compile(rb"[0-9a-f.]+")


@pytest.fixture
async def counted(server, tmp_path):
    """Image sharing over a database of its own, and the work that its requests cause."""
    with counted_work() as work:
        async with open_journal(await create_database(server), tmp_path / "journal") as journal:
            objects = Objects.open("", tmp_path)
            async with open_world(journal.db, journal, objects) as world:
                imaging = Imaging(world, objects)
                yield imaging, work
                await imaging.renderer.close()


async def twins(imaging):
    """Return two persons with one study each, of whom the second has a hidden one beside, and the file of the shown."""
    world, found = imaging.world, []
    for with_hidden in (False, True):
        person = await world.person()
        await world.into_circle(person, world.people["doctor_entry"])
        shown = study_files(person, instances=2, AccessionNumber="SAME")
        hidden = study_files(person, instances=1, StudyDescription="hidden")
        async with imaging.client(world.people["hospital"]) as client:
            assert (await stow(client, shown)).status_code == 200
            if with_hidden:
                assert (await stow(client, hidden)).status_code == 200
        if with_hidden:
            documents = (await world.record.timeline(requester_of(person), person.id)).documents
            [document] = [one for one in documents if one.title == "hidden"]
            await world.record.set_confidentiality(
                requester_of(person), person.id, document.id, Confidentiality.HIDDEN
            )
        found.append((person, shown[0], hidden[0]))
    return found


def requests(person, shown: bytes, hidden: bytes) -> list[str]:
    """Return searches for a person, and requests for both studies on every level."""
    number = person.identifiers[0].value
    found = [f"/dicomweb/studies?PatientID={number}{more}" for more in ("", "&limit=1", "&ModalitiesInStudy=CT")]
    found.append(f"/dicomweb/series?PatientID={number}")
    for file in (shown, hidden):
        study, series, instance = uids(file)
        at = f"/dicomweb/studies/{study}/series/{series}/instances/{instance}"
        found += [f"/dicomweb/studies?StudyInstanceUID={study}", f"/dicomweb/studies/{study}/series"]
        found += [f"/dicomweb/studies/{study}/metadata", f"{at}/frames/1", f"{at}/thumbnail", at]
    return found


def words_of(response) -> bytes:
    """Return an answer in JSON without its numbers; others hold UIDs of other lengths within their bytes."""
    return _NUMBERS.sub(b"", response.content) if "json" in response.headers.get("content-type", "") else b""


def difference(one: Work, other: Work) -> str:
    """Return in what two works differ. A study that does not exist has no person, and so no row of their consent."""
    for work in (one, other):
        counted: Counter[tuple[str, tuple[int, ...], int]] = Counter()
        for (text, lists, rows), times in work.statements.items():
            counted[text, lists, 0 if "FROM access_record" in text else rows] += times
        work.statements = counted
    return one.difference(other)


@pytest.mark.parametrize("who", ["doctor", "other"])
async def test_hidden_study_causes_no_work_and_no_difference(counted, who):
    imaging, work = counted
    first, second = await twins(imaging)
    async with imaging.client(imaging.world.people[who]) as client:
        await client.get(requests(*first)[0])  # what is read once by a process
        for path, same in zip(requests(*first), requests(*second), strict=True):
            costs, answers = [], []
            for address in (path, same):
                work.clear()
                response = await client.get(address)
                answers.append((response.status_code, words_of(response), response.headers.get("warning")))
                costs.append(work.taken())
            assert difference(*costs) == "", path
            assert answers[0] == answers[1], path
            assert sum(costs[0].statements.values()) > 2


async def test_depositor_who_may_not_see_a_hidden_study_stores_with_the_same_work(counted):
    imaging, work = counted
    costs = []
    for person, _, _ in await twins(imaging):
        async with imaging.client(imaging.world.people["doctor"]) as client:
            await stow(client, study_files(person, instances=1))  # what is read once by a process
            work.clear()
            answer = await stow(client, study_files(person, instances=1))
            assert answer.status_code == 200 and "Warning" not in answer.headers
            costs.append(work.taken())
    assert difference(*costs) == ""
