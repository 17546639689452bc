"""The SQL of referring doctors and delegations."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.directory.functions.model import Delegation, ReferringDoctor

REFERRING_DOCTOR = Table(
    "directory_referring_doctor",
    Kind.PERSON,
    {"person_id": "uuid", "practitioner_id": "uuid", "since": "date", "until": "date"},
)
DELEGATION = Table(
    "directory_delegation",
    Kind.REFERENCE,
    {
        "delegate_id": "uuid",
        "professional_id": "uuid",
        "organization_id": "uuid",
        "since": "date",
        "until": "date",
    },
)


def referring_doctor_row(one: ReferringDoctor) -> Row:
    """Return the row of a new function as referring doctor."""
    return REFERRING_DOCTOR, (one.person_id, one.practitioner_id, one.since, one.until)


async def add_delegation(conn: Connection, one: Delegation) -> None:
    """Write a delegation without an end; one that began and was ended on the same day is taken up again."""
    await conn.execute(
        "INSERT INTO directory_delegation (delegate_id, professional_id, organization_id, since)"
        " VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (delegate_id, professional_id, organization_id, since) DO UPDATE SET until = NULL",
        one.delegate_id,
        one.professional_id,
        one.organization_id,
        one.since,
    )


async def fetch_referring_doctors(db: Database | Connection, persons: Sequence[UUID]) -> list[ReferringDoctor]:
    """Return the referring doctors of persons, past and future ones included, in the order of their beginning."""
    rows = await db.fetch(
        "SELECT person_id, practitioner_id, since, until FROM directory_referring_doctor WHERE person_id = ANY($1)"
        " ORDER BY person_id, since, practitioner_id",
        list(persons),
    )
    return [ReferringDoctor(**row) for row in rows]


async def set_referring_doctor_end(conn: Connection, one: ReferringDoctor, until: date) -> None:
    """Write the end of a function; one that would end before it begins is deleted."""
    await conn.execute(
        "DELETE FROM directory_referring_doctor"
        " WHERE person_id = $1 AND practitioner_id = $2 AND since = $3 AND $4 <= since",
        one.person_id,
        one.practitioner_id,
        one.since,
        until,
    )
    await conn.execute(
        "UPDATE directory_referring_doctor SET until = $4"
        " WHERE person_id = $1 AND practitioner_id = $2 AND since = $3",
        one.person_id,
        one.practitioner_id,
        one.since,
        until,
    )


async def fetch_delegations(db: Database | Connection, delegate_id: UUID, on: date) -> list[Delegation]:
    """Return the delegations to somebody that are in force on a day."""
    rows = await db.fetch(
        "SELECT delegate_id, professional_id, organization_id, since, until FROM directory_delegation"
        " WHERE delegate_id = $1 AND since <= $2 AND (until IS NULL OR until > $2)"
        " ORDER BY professional_id, organization_id, since",
        delegate_id,
        on,
    )
    return [Delegation(**row) for row in rows]


async def fetch_delegations_of(db: Database, professional_id: UUID, on: date) -> list[Delegation]:
    """Return the delegations of a professional that are in force on a day."""
    rows = await db.fetch(
        "SELECT delegate_id, professional_id, organization_id, since, until FROM directory_delegation"
        " WHERE professional_id = $1 AND since <= $2 AND (until IS NULL OR until > $2)"
        " ORDER BY delegate_id, organization_id, since",
        professional_id,
        on,
    )
    return [Delegation(**row) for row in rows]


async def set_delegation_end(conn: Connection, one: Delegation, until: date) -> None:
    """Write the end of a delegation."""
    await conn.execute(
        "UPDATE directory_delegation SET until = $5"
        " WHERE delegate_id = $1 AND professional_id = $2 AND organization_id = $3 AND since = $4",
        one.delegate_id,
        one.professional_id,
        one.organization_id,
        one.since,
        until,
    )
