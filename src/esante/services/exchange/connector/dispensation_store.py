"""The SQL of dispensations from abroad."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table

DISPENSATION = Table(
    "exchange_dispensation",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "key": "bytea",
        "kind": "text",
        "document_id": "text",
        "prescription_id": "uuid",
        "round": "integer",
        "outcome": "text",
        "record_id": "uuid",
        "country": "text",
        "at": "timestamptz",
    },
)
_COLUMNS = ", ".join(DISPENSATION.columns)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that was given (fields: see the migration)."""

    person_id: UUID
    key: bytes
    kind: str
    document_id: str
    prescription_id: UUID
    round: int
    outcome: str
    record_id: UUID
    country: str
    at: datetime


def answered_row(answered: Answered) -> Row:
    """Return the row of an answer."""
    return DISPENSATION, tuple(getattr(answered, name) for name in DISPENSATION.columns)


async def fetch_answers(db: Database, person_id: UUID) -> list[Answered]:
    """Return all answers about a person's prescriptions."""
    sql = f"SELECT {_COLUMNS} FROM exchange_dispensation WHERE person_id = $1 ORDER BY at"  # noqa: S608 - constants
    return [Answered(**row) for row in await db.fetch(sql, person_id)]


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete all answers about a person's prescriptions; return how many there were."""
    rows = await conn.fetch("DELETE FROM exchange_dispensation WHERE person_id = $1 RETURNING key", person_id)
    return len(rows)
