"""A killed worker: every line is still exported exactly once."""

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

import esante
from esante.services.export import DataExported
from tests.support.export import count_keys, job_id

KILLS = 8


async def test_killed_workers_export_every_line_exactly_once(platform, large_client, dsn, objects):
    async with platform.client(large_client) as http:
        expected = count_keys(await platform.fetch_lines(http, await platform.run_export(http)))
        location = await platform.kick_off(http)
        root = Path(__file__).resolve().parents[3]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.export_kill_loop", dsn, str(objects.data), str(KILLS)),
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(Path(esante.__file__).parents[1])},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert int(output) == KILLS
        answer = await http.get(location)
        assert answer.status_code == 200, answer.headers
        found = count_keys(await platform.fetch_lines(http, answer.json()))
    assert found == expected
    assert set(found.values()) == {1}
    job = await platform.exports.job(large_client, job_id(location))
    assert (job.done, job.total) == (12, 12)
    lines = 0
    for person_id in {id_ for type_, id_ in found if type_ == "Patient"}:
        events = await platform.world.journal.entries_of(UUID(person_id), [DataExported], limit=100)
        lines += sum(entry.event.count for entry in events if entry.event.job_id == job.id)
    assert lines == sum(found.values())
