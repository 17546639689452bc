"""The referring doctors of persons, copied from the directory for the access decision."""

from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection
from esante.identity.access.functions import referring_store
from esante.identity.directory import Directory, ReferringDoctorChanged


def referring_doctor_consumer(directory: Directory) -> Consumer:
    """Return the consumer of the journal that follows the directory."""

    async def copy(conn: Connection, entries: list[Entry]) -> None:
        persons = sorted({entry.person_id for entry in entries})
        found = await directory.referring_doctors.of_persons(conn, persons)
        await referring_store.replace_referring_doctors(conn, persons, found)

    return Consumer("access.referring_doctors", [ReferringDoctorChanged], copy)
