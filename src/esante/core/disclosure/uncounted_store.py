"""Persons whom no statistics count, since they do not exist; whoever counts people leaves them out."""

from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table

UNCOUNTED_PERSON = Table("uncounted_person", Kind.LOCAL, {"person_id": "uuid"})


def uncounted_row(person_id: UUID) -> Row:
    """Return the row by which a person is left out: write it before there is anything to count of them."""
    return UNCOUNTED_PERSON, (person_id,)


async def fetch_uncounted(db: Database | Connection) -> frozenset[UUID]:
    """Return the persons whom no statistics count."""
    return frozenset(row["person_id"] for row in await db.fetch("SELECT person_id FROM uncounted_person"))
