"""A program: works on exports in processes that are killed (SIGKILL) at any moment, and at last in one that is not.

    python -m tests.services.export.killed DSN FOLDER KILLS

Prints how many of the kills met a process at work. The address of the database, the folder of objects and journal.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.export import Exports
from esante.services.export import worker as work
from esante.services.record import Record

BASE = "http://esante.test"


async def work_to_the_end(dsn: str, folder: Path) -> None:
    """Do all there is to do, by the smallest pieces."""
    work.STEP_SECONDS = 0.0
    db = await Database.open(dsn, pool_size=4)
    objects = Objects.open("", folder)
    journal = Journal.open(db, objects, folder / "key.pem", "esante/journal")
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url=BASE)
    record = Record(db, objects, journal, directory, access)
    worker = Exports(db, objects, journal, directory, access, record, BASE).worker
    while await worker.advance():
        pass
    await record.close()
    await db.close()


def killed(dsn: str, folder: Path, after: float) -> bool:
    """Start a process and kill it after some seconds; False when it had ended before."""
    pid = os.fork()
    if pid == 0:
        asyncio.run(work_to_the_end(dsn, folder))
        os._exit(0)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def main() -> None:
    """Kill, again and again; then let one process finish."""
    dsn, folder, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(7)
    print(sum(killed(dsn, folder, chance.uniform(0.1, 0.5)) for _ in range(kills)))
    asyncio.run(work_to_the_end(dsn, folder))


if __name__ == "__main__":
    main()
