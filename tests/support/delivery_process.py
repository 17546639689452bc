"""A program that runs a delivery worker, with leases of one second, until it is killed.

    python -m tests.support.delivery_process DSN FOLDER

DSN: the database; FOLDER: objects and journal key.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.record import Record
from tests.support.record import World
from tests.support.subscriptions import BASE, fast_policy, make_subscriptions


async def main(dsn: str, folder: Path) -> None:
    """Deliver until killed."""
    db = await Database.open(dsn)
    objects = Objects.open("", folder)
    journal = Journal.open(db, objects, folder / "key.pem", "esante/journal")
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url=BASE)
    record = Record(db, objects, journal, directory, access)
    world = World(db, journal, directory, access, record)
    policy = fast_policy(lease=timedelta(seconds=1), attempts=50)
    await make_subscriptions(world, policy).worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
