"""Deletion: with the document of a study, with the whole record, and of the bytes some days later."""

from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.storage import uuid7
from esante.identity.access import Act, Disposition, requester_of
from esante.services.imaging.archive.deletion import Deletion
from esante.services.record import ContentDeleted
from tests.support.dicom import stow, study_files, uids


@pytest.fixture
def deletion(world, objects):
    """The deletion of studies."""
    return Deletion(world.db, objects)


async def test_study_is_deleted_with_its_document_and_its_bytes_later(
    imaging, world, person, objects, deletion, monkeypatch
):
    files, kept = study_files(person, instances=2), study_files(person, instances=1)
    async with imaging.client(world.people["hospital"]) as client:
        await stow(client, [*files, *kept])
        timeline = await world.record.timeline(requester_of(person), person.id)
        study = f"urn:oid:{uids(files[0])[0]}"
        [document] = [one for one in timeline.documents if one.identifiers[0][1] == study]
        names = {
            row["object_name"]
            for row in await world.db.fetch(
                "SELECT object_name FROM imaging_instance WHERE person_id = $1 AND study_uid = $2",
                person.id,
                uids(files[0])[0],
            )
        }
        event = ContentDeleted(documents=(document.id,), count=1)
        rows = world.journal.rows_for(requester_of(person), event, person_id=person.id)
        await world.db.write(rows)
        [entry] = await world.journal.entries_of(person.id, [ContentDeleted], limit=1)
        async with world.db.transaction() as conn:
            await deletion.consumer.handle(conn, [entry])
        assert (await client.get(f"/dicomweb/studies/{uids(files[0])[0]}")).status_code == 404
        assert (await client.get(f"/dicomweb/studies/{uids(kept[0])[0]}")).status_code == 200
    [name] = names
    assert await deletion.remove_objects() == 0
    assert await objects.get_named(name)
    later = clock.now() + timedelta(days=400)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await deletion.remove_objects() == 1
    with pytest.raises(FileNotFoundError):
        await objects.get_named(name)


async def test_all_studies_of_a_deleted_record_go_step_by_step(imaging, world, person, deletion):
    async with imaging.client(world.people["hospital"]) as client:
        for _ in range(21):
            await stow(client, study_files(person, instances=1))
    plan = Disposition(
        person_id=person.id, id=uuid7(), act=Act.DELETE, rule="test", due_at=clock.now(), upto=clock.now()
    )
    counts = []
    for _ in range(3):
        async with world.db.transaction() as conn:
            step = await deletion.delete_record(conn, plan)
        counts.append((step.items, step.finished))
    assert counts == [(20, False), (1, False), (0, True)]
    left = "SELECT count(*) FROM imaging_{} WHERE person_id = $1"
    for table in ("study", "series", "instance", "study_person"):
        assert await world.db.fetchval(left.format(table), person.id) == 0
