"""A killed worker: its claims are taken over."""

import asyncio
import sys
from pathlib import Path

from tests.support.rest_hook_receiver import receiving
from tests.support.subscriptions import active_subscription, add_clinic, running_worker

ROOT = Path(__file__).resolve().parents[4]


async def test_claim_of_killed_process_is_taken_over(platform, tmp_path):
    person = await platform.world.person()
    async with receiving() as receiver:
        software = await add_clinic(platform, person)
        created = await active_subscription(platform, software, receiver.url)
        receiver.mode = "hang"
        for _ in range(2):
            await platform.deposit(person, by="clinic")
        await platform.match_events()
        dsn = platform.world.journal.dsn
        command = [sys.executable, "-m", "tests.support.delivery_process", dsn, str(tmp_path)]
        first = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL)
        try:
            await receiver.wait_for_requests(2)
        finally:
            first.kill()
            await first.wait()
        receiver.mode = "ok"
        assert (await platform.read(software, created))["status"] == "active"
        async with running_worker(platform):
            await receiver.wait_for_requests(3)
        assert [request.numbers for request in receiver.events] == [[1, 2], [1, 2]]
