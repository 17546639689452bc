"""A program that archives days of events in processes that kill themselves (SIGKILL) at each step, one after the other.

    python -m tests.support.soc_archive_kills DSN FOLDER [RANDOM]

DSN: the database; FOLDER: objects and journal key. Each process begins where the one before died. With RANDOM, so many processes are killed at random moments instead. It prints how many were killed.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.services.soc.hunting import archive, archive_store
from esante.services.soc.hunting.archive import Archive
from esante.services.soc.storage.service import EventStore

STEPS: list[tuple[Any, str]] = [
    (archive, "write_sorted"),
    (Objects, "put_file"),
    (archive_store, "complete"),
    (Archive, "_complete"),
    (archive_store, "close_files"),
    (archive, "drop_day"),
]


def killing(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """Return a function that kills the process before or after its work."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def run_async(*arguments: Any, **named: Any) -> Any:
        result = await function(*arguments, **named) if after else None
        die()
        return result

    def run(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named) if after else None
        die()
        return result

    return run_async if asyncio.iscoroutinefunction(function) else run


async def archive_all(dsn: str, folder: Path) -> None:
    """Move what is due."""
    db = await Database.open(dsn, pool_size=4)
    objects = Objects.open("", folder)
    journal = Journal.open(db, objects, folder / "key.pem", "esante/journal")
    await Archive(db, objects, journal, EventStore(db), 1).run()
    await db.close()


def run_killed(work: Callable[[], None]) -> bool:
    """Run work in a process; return whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def main() -> None:
    """Archive until nothing is left, killed at each step or at random moments."""
    dsn, folder = sys.argv[1], Path(sys.argv[2])
    killed = 0
    if len(sys.argv) > 3:
        chance = random.Random(4)
        for _ in range(int(sys.argv[3])):
            pid = os.fork()
            if pid == 0:
                asyncio.run(archive_all(dsn, folder))
                os._exit(0)
            time.sleep(chance.uniform(0.05, 1.5))
            os.kill(pid, signal.SIGKILL)
            killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    else:
        for place, name in STEPS:
            for after in (False, True):

                def work(place: Any = place, name: str = name, after: bool = after) -> None:
                    setattr(place, name, killing(getattr(place, name), after=after))
                    asyncio.run(archive_all(dsn, folder))

                killed += run_killed(work)
    if run_killed(lambda: asyncio.run(archive_all(dsn, folder))):
        raise SystemExit("the last process was killed")
    print(killed)


if __name__ == "__main__":
    main()
