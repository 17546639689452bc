"""Consumers that are killed: no misuse goes without an alert, none has two."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from esante.identity.access import requester_of
from esante.services.soc.health.watch import READER
from tests.conftest import create_database, open_journal
from tests.support.directory_entries import a_person, a_practitioner
from tests.support.processes import environment
from tests.support.soc_health import HealthWorld

ROOT = Path(__file__).resolve().parents[4]
ALERTS = "SELECT person_id FROM soc_alert WHERE rule = 'health.no_care_context' ORDER BY person_id"


async def follower(dsn: str, folder: Path, how: str) -> asyncio.subprocess.Process:
    """Start a process that follows the journal; `how`: see `tests.support.soc_health`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.soc_health",
        dsn,
        str(folder),
        how,
        cwd=ROOT,
        env=environment(PYTHONPATH=f"{ROOT / 'src'}:{ROOT}"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"following"
    return process


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process, unless it has killed itself."""
    if process.returncode is None:
        os.kill(process.pid, signal.SIGKILL)
    await process.wait()


@pytest.mark.parametrize("kills", [1, pytest.param(30, marks=pytest.mark.long)])
async def test_killed_consumers_alert_each_misuse_once(server, tmp_path, kills):
    dsn = await create_database(server)
    async with open_journal(dsn, tmp_path) as journal:
        world = HealthWorld(journal.db, journal)
        tenant, _ = await world.member("Hôpital K")
        hospital = await world.directory.organization(tenant.organization_id)
        practitioner = await world.directory.register_practitioner(a_practitioner(hospital, family="Rast"))
        user, persons = requester_of(practitioner, hospital), []
        for number in range(kills):
            for _ in range(3):
                person = await world.directory.register_person(a_person(family=f"Fall {len(persons)}"))
                persons.append(person.id)
                await world.read(user, person, world.start + timedelta(days=4 * number % 24, minutes=len(persons)))
            await world.let_pass(4 * number % 24 + 4)
            process = await follower(dsn, tmp_path, "die" if number % 2 else "live")
            if number % 2:
                await asyncio.wait_for(process.wait(), 60)  # it handles a batch and kills itself
            else:
                await asyncio.sleep(0.03 * (number % 5))
            await kill(process)
        process = await follower(dsn, tmp_path, "live")
        await journal.sealer.seal_all()
        for _ in range(600):
            state = await journal.state()
            if any(one["reader"] == READER and one["seq"] == state["size"] for one in state["consumers"]):
                break
            await asyncio.sleep(0.1)
        await kill(process)
        assert [row["person_id"] for row in await journal.db.fetch(ALERTS)] == sorted(persons)
