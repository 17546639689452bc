"""A program that runs the export worker in processes killed (SIGKILL) in the middle of a step, and finally in one
that is not.

    python -m tests.support.export_kill_loop DSN FOLDER KILLS

DSN: the database; FOLDER: objects and journal key. It kills until KILLS steps were broken off or the work is done, and
prints how many were.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from esante.core.journal import Journal
from esante.core.storage import Database, JobWorker, Objects
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.export import Exports
from esante.services.record import Record

BASE = "http://esante.test"
BEGUN, DONE = b"b", b"d"
"""What a worker tells of its steps."""
FIRST_STEP = 0.02
"""Seconds that the first step is thought to take; each step is then expected to take as long as the last one."""
_RUNNING = """
SELECT EXISTS (
    SELECT FROM export_job j LEFT JOIN export_client c USING (job_id)
    WHERE j.state = 'running' AND c.cancelled_at IS NULL)
"""


async def run_worker(dsn: str, folder: Path, reporting_end: Callable[[bytes], object] = lambda _: None) -> None:
    """Work until no export is left, in the smallest steps; `reporting_end` is called around each with `BEGUN` and `DONE`.

    An export that is not due yet, or still locked by the session of a killed process, is waited for.
    """
    JobWorker.STEP_SECONDS = 0.0
    db = await Database.open(dsn, pool_size=4)
    objects = Objects.open("", folder)
    journal = Journal.open(db, objects, folder / "key.pem", "esante/journal")
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url=BASE)
    record = Record(db, objects, journal, directory, access)
    worker = Exports(db, objects, journal, directory, access, record, BASE).worker
    do_step = worker._do_step

    async def told_step(*arguments: object) -> None:
        reporting_end(BEGUN)
        await do_step(*arguments)  # type: ignore[arg-type]

    worker._do_step = told_step  # type: ignore[method-assign]
    while await db.fetchval(_RUNNING):
        if await worker.advance():
            reporting_end(DONE)
        else:
            await asyncio.sleep(0.02)
    await record.close()
    await db.close()


def kill_in_step(dsn: str, folder: Path, chance: random.Random, expected: float) -> tuple[bool, bool, float]:
    """Start a worker process and kill it at a random time of its first step, which is expected to take so long.

    Returns whether a step was broken off, whether there was any step, and how long the first one took or may have.
    """
    reports, reporting_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reports)
        asyncio.run(run_worker(dsn, folder, lambda what: os.write(reporting_end, what)))
        os._exit(0)
    os.close(reporting_end)
    if not os.read(reports, 1):
        os.waitpid(pid, 0)
        return False, False, expected
    begun = time.monotonic()
    time.sleep(chance.uniform(0, expected))
    os.kill(pid, signal.SIGKILL)
    took = time.monotonic() - begun
    os.waitpid(pid, 0)
    steps = b"".join(iter(lambda: os.read(reports, 4_096), b""))
    os.close(reports)
    is_broken_off = steps.count(DONE) == steps.count(BEGUN)  # the first BEGUN was read before
    return is_broken_off, True, max(took / 2, 0.001) if DONE in steps else expected * 1.5


def main() -> None:
    """Kill worker processes, then let one finish."""
    dsn, folder, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    chance, expected, broken_off, is_left = random.Random(7), FIRST_STEP, 0, True
    while is_left and broken_off < kills:
        hit, is_left, expected = kill_in_step(dsn, folder, chance, expected)
        broken_off += hit
    print(broken_off)
    asyncio.run(run_worker(dsn, folder))


if __name__ == "__main__":
    main()
