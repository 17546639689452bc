"""The SQL of hospital stays and of the renewal of their grants."""

from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access.consent.store import grant_of_row
from esante.identity.access.model import Grant, Stay, StayStatus

STAY = Table(
    "access_stay",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "stay_id": "uuid",
        "organization_id": "uuid",
        "status": "text",
        "began_at": "timestamptz",
        "ended_at": "timestamptz",
        "encounter": "text",
    },
)


def stay_row(stay: Stay) -> Row:
    """Return the row of a new stay."""
    row = (stay.person_id, stay.id, stay.organization_id, stay.status.value, stay.began_at, stay.ended_at)
    return STAY, (*row, stay.encounter)


async def fetch_stays(db: Database | Connection, person_id: UUID, organization_id: UUID) -> list[Stay]:
    """Return a person's stays at one hospital, newest first."""
    rows = await db.fetch(
        "SELECT * FROM access_stay WHERE person_id = $1 AND organization_id = $2 ORDER BY stay_id DESC",
        person_id,
        organization_id,
    )
    return [_stay(row) for row in rows]


async def fetch_stay(conn: Connection, person_id: UUID, stay_id: UUID) -> Stay | None:
    """Return a stay of a person, or None."""
    row = await conn.fetchrow("SELECT * FROM access_stay WHERE person_id = $1 AND stay_id = $2", person_id, stay_id)
    return _stay(row) if row else None


async def end_stay(conn: Connection, person_id: UUID, stay_id: UUID, status: StayStatus, ended_at: datetime) -> Stay:
    """Write the end of a stay; return the stay."""
    row = await conn.fetchrow(
        "UPDATE access_stay SET status = $3, ended_at = $4 WHERE person_id = $1 AND stay_id = $2 RETURNING *",
        person_id,
        stay_id,
        status.value,
        ended_at,
    )
    return _stay(row)


async def fetch_grant(conn: Connection, person_id: UUID, grant_id: UUID) -> Grant | None:
    """Return a grant of a person, active or not, or None."""
    row = await conn.fetchrow("SELECT * FROM access_grant WHERE person_id = $1 AND grant_id = $2", person_id, grant_id)
    return grant_of_row(row) if row else None


async def renew_grant(conn: Connection, grant: Grant, until: datetime) -> Grant:
    """Write a renewal of a grant and its new end; return the grant."""
    row = await conn.fetchrow(
        "UPDATE access_grant SET until = $3, renewals = renewals + 1 WHERE person_id = $1 AND grant_id = $2"
        " RETURNING *",
        grant.person_id,
        grant.id,
        until,
    )
    return grant_of_row(row)


def _stay(row: asyncpg.Record) -> Stay:
    return Stay(
        id=row["stay_id"],
        person_id=row["person_id"],
        organization_id=row["organization_id"],
        status=StayStatus(row["status"]),
        began_at=row["began_at"],
        ended_at=row["ended_at"],
        encounter=row["encounter"],
    )
