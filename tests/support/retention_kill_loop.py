"""A program that works through dispositions in processes killed (SIGKILL) in the middle of a step, and finally in one
that is not.

    python -m tests.support.retention_kill_loop DSN FOLDER KILLS NOW

DSN: the database; FOLDER: objects and journal key; NOW: the moment of the clock. It kills until KILLS steps were broken
off or nothing is left to do, and prints how many were.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from esante.core.clock import use_clock
from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.identity.access import Access, DispositionExecutor
from esante.identity.directory import Directory
from esante.services.record import Record
from esante.services.record.retention import expiry

BASE = "http://esante.test"
BEGUN, DONE = b"b", b"d"
"""What a process tells of its steps."""
FIRST_STEP = 0.02
"""Seconds that the first step is thought to take; each step is then expected to take as long as the last one."""


async def run_executor(
    dsn: str, folder: Path, now: datetime, telling: Callable[[bytes], object] = lambda _: None
) -> None:
    """Work until nothing is due, in the smallest steps; `telling` is called around each with `BEGUN` and `DONE`."""
    expiry.DOCUMENTS = 1
    db = await Database.open(dsn, pool_size=4)
    journal = Journal.open(db, Objects.open("", folder), folder / "key.pem", "esante/journal")
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url=BASE)
    record = Record(db, Objects.open("", folder), journal, directory, access)
    handlers = [*record.retention.handlers(), *access.lifecycle.handlers()]
    executor = DispositionExecutor(db, access.dispositions, handlers)
    step = executor.step

    async def told_step(*key: object) -> object:
        telling(BEGUN)
        state = await step(*key)  # type: ignore[arg-type]
        telling(DONE)
        return state

    executor.step = told_step  # type: ignore[method-assign, assignment]
    with use_clock(lambda: now):
        await executor.work()
    await record.close()
    await db.close()


def kill_in_step(
    dsn: str, folder: Path, now: datetime, chance: random.Random, expected: float
) -> tuple[bool, bool, float]:
    """Start a process and kill it at a random time of one of its steps, which is expected to take so long.

    Returns whether a step was broken off, whether there was any step, and how long the first one took or may have.
    """
    reports, telling = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reports)
        asyncio.run(run_executor(dsn, folder, now, lambda what: os.write(telling, what)))
        os._exit(0)
    os.close(telling)
    if not os.read(reports, 1):
        os.waitpid(pid, 0)
        return False, False, expected
    begun = time.monotonic()
    time.sleep(chance.uniform(0, 4 * expected))
    os.kill(pid, signal.SIGKILL)
    took = time.monotonic() - begun
    os.waitpid(pid, 0)
    steps = b"".join(iter(lambda: os.read(reports, 4_096), b""))
    os.close(reports)
    is_broken_off = steps.count(DONE) == steps.count(BEGUN)  # the first BEGUN was read before
    return is_broken_off, True, max(took / 2, 0.001) if DONE in steps else expected * 1.5


def main() -> None:
    """Kill processes, then let one finish."""
    dsn, folder, kills, now = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), datetime.fromisoformat(sys.argv[4])
    chance, expected, broken_off, is_left = random.Random(7), FIRST_STEP, 0, True
    while is_left and broken_off < kills:
        hit, is_left, expected = kill_in_step(dsn, folder, now, chance, expected)
        broken_off += hit
    print(broken_off)
    asyncio.run(run_executor(dsn, folder, now))


if __name__ == "__main__":
    main()
