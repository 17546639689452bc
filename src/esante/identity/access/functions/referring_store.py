"""The SQL of the copy of referring doctors that the access decision reads."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import Connection, Kind, Table, insert
from esante.identity.directory import ReferringDoctor

REFERRING_DOCTOR = Table(
    "access_referring_doctor",
    Kind.PERSON,
    {"person_id": "uuid", "practitioner_id": "uuid", "since": "date", "until": "date"},
)


async def replace_referring_doctors(
    conn: Connection, persons: Sequence[UUID], found: Sequence[ReferringDoctor]
) -> None:
    """Replace the referring doctors of persons by those that are found."""
    await conn.execute("DELETE FROM access_referring_doctor WHERE person_id = ANY($1)", list(persons))
    rows = [(REFERRING_DOCTOR, (one.person_id, one.practitioner_id, one.since, one.until)) for one in found]
    await insert(conn, rows)
