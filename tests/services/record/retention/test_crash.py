"""Processes that are killed in the middle of deleting: nothing is lost, nothing is done twice."""

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from esante.core.storage import Objects
from esante.core.time_limits import end_of
from esante.identity.access import Act, DispositionChanged, DispositionState, RecordState, requester_of
from esante.services.record.retention.events import ContentDeleted
from tests.conftest import open_journal
from tests.support.lifecycle_clock import running_clock
from tests.support.processes import environment
from tests.support.record import letter, open_world
from tests.support.retention import CONSENTS, TABLES, large_letter, months, rows_left

ROOT = Path(__file__).resolve().parents[4]
START = datetime(2028, 2, 29, 12, tzinfo=UTC)


async def kill_loop(dsn: str, folder: Path, kills: int, now: datetime) -> int:
    """Run the loop; return how many steps were broken off."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.retention_kill_loop",
        dsn,
        str(folder),
        str(kills),
        now.isoformat(),
        cwd=ROOT,
        env=environment(PYTHONPATH=f"{ROOT / 'src'}:{ROOT}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return int(out)


@pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.long)])
async def test_killed_executors_delete_each_document_once_and_leave_nothing(dsn, tmp_path, kills):
    async with open_journal(dsn, tmp_path) as journal:
        objects = Objects.open("", tmp_path)
        async with open_world(journal.db, journal, objects) as world:
            with running_clock(START) as now:
                await months(world, START)
                people, documents = [], {}
                for number in range(4 if kills < 10 else 15):
                    person = await world.person(opened=False)
                    await world.access.lifecycle.announce([person.id])
                    await world.access.lifecycle.change(requester_of(person), "activate")
                    await world.into_circle(person, world.people["doctor_entry"])
                    contents = [
                        *(letter() for _ in range(7)),
                        large_letter("the same for all"),
                        large_letter(str(number)),
                    ]
                    documents[person.id] = {
                        (await world.record.deposit(world.people["hospital"], person.id, *content)).document.id
                        for content in contents
                    }
                    await world.access.lifecycle.change(requester_of(person), "object")
                    people.append(person)
                due = end_of(now.at.date().replace(month=3, day=14))
                await months(world, due)
            assert await kill_loop(dsn, tmp_path, kills, due) > 0
            for person in people:
                assert await rows_left(world, person.id, (*TABLES, *CONSENTS)) == {}
                assert (await world.access.consent(person.id)).state is RecordState.DELETED
                entries = await world.events(person, ContentDeleted)
                deleted = Counter(id_ for _, event in entries for id_ in event.documents)
                assert deleted == Counter(documents[person.id])
                done = [event for _, event in await world.events(person, DispositionChanged) if event.change == "done"]
                assert [event.act for event in done] == [Act.DELETE]
                assert done[0].count >= len(documents[person.id])
                (log,) = await world.access.dispositions.find_open(person.id)
                assert (log.act, log.state) == (Act.LOG, DispositionState.PLANNED) and log.due_at > due
            with running_clock(due) as now:
                now.advance(days=8)
                assert await world.record.retention.removal.run() == len(people) + 1
            await journal.sealer.seal_all()
            assert (await journal.verify(dsn)).problems == []
