"""A listener of MLLP as a process of its own: `python -m tests.support.mllp_process DSN FOLDER ORGANIZATION HOW`.

`HOW`: `live`, or `die` to be killed after a message was carried out and before its answer is written.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.exchange.hospital.patients import Patients, community_oid
from esante.services.exchange.mllp.admissions import Admissions
from esante.services.exchange.mllp.processor import MessageProcessor
from esante.services.exchange.mllp.results import Results
from esante.services.exchange.mllp.server import MllpServer
from esante.services.record import Record
from tests.support.record import BASE


async def main(dsn: str, folder: Path, organization_id: UUID, how: str) -> None:
    """Serve until it is killed."""
    db = await Database.open(dsn)
    objects = Objects.open("", folder)
    journal = Journal.open(db, objects, folder / "key.pem", "esante/journal", "")
    directory = Directory(db, journal)
    access = Access(db, journal, directory, base_url=BASE)
    record = Record(db, objects, journal, directory, access)
    patients = Patients(db, directory, community_oid(BASE))
    processor = MessageProcessor(
        db, journal, access, directory, Admissions(access, directory, patients), Results(record, directory, patients)
    )

    async def die(*_: object, **__: object) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    if how == "die":
        processor._settle = die  # type: ignore[method-assign]

    async def nobody(_: object) -> None:
        return None

    server = MllpServer(answer=processor.answer, owner=nobody, organization_id=organization_id)
    listener = await server.start("127.0.0.1", 0, None)
    print(listener.sockets[0].getsockname()[1], flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), UUID(sys.argv[3]), sys.argv[4]))
