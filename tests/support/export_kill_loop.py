"""A program that runs the export worker in processes killed (SIGKILL) at random times, and finally in one that is not.

    python -m tests.support.export_kill_loop DSN FOLDER KILLS

DSN: the database; FOLDER: objects and journal key. Prints how many of the kills met a running process.
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
from esante.services.export import worker as export_worker
from esante.services.record import Record

BASE = "http://esante.test"


async def run_worker(dsn: str, folder: Path) -> None:
    """Work until no export is due, in the smallest steps."""
    export_worker.STEP_SECONDS = 0.0
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


def kill_worker(dsn: str, folder: Path, after: float) -> bool:
    """Start a worker process and kill it after `after` seconds; False when it had ended before."""
    pid = os.fork()
    if pid == 0:
        asyncio.run(run_worker(dsn, folder))
        os._exit(0)
    time.sleep(after)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def main() -> None:
    """Kill worker processes, then let one finish."""
    dsn, folder, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(7)
    print(sum(kill_worker(dsn, folder, chance.uniform(0.1, 0.5)) for _ in range(kills)))
    asyncio.run(run_worker(dsn, folder))


if __name__ == "__main__":
    main()
