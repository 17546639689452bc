"""The SQL of appointments."""

from datetime import datetime
from uuid import UUID

from esante.core.storage import Database, Kind, Row, Table

APPOINTMENT = Table(
    "appointment", Kind.PERSON, {"person_id": "uuid", "appointment_id": "uuid", "starts_at": "timestamptz"}
)


def appointment_row(person_id: UUID, appointment_id: UUID, starts_at: datetime) -> Row:
    """Return the row of a new appointment."""
    return APPOINTMENT, (person_id, appointment_id, starts_at)


async def appointments_of(db: Database, person_id: UUID) -> list[tuple[UUID, datetime]]:
    """Return the appointments of a person, the next first."""
    rows = await db.fetch("SELECT * FROM appointment WHERE person_id = $1 ORDER BY starts_at", person_id)
    return [(row["appointment_id"], row["starts_at"]) for row in rows]


async def count(db: Database) -> int:
    """Return the number of appointments."""
    return int(await db.fetchval("SELECT count(*) FROM appointment"))
