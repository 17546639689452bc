"""The SQL of refusals: the organisations whose stays give no access to a person's record."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table

REFUSAL = Table(
    "access_stay_refusal",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "organization_id": "uuid",
        "organization": "text",
        "since": "timestamptz",
        "cause": "text",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StayRefusal:
    """An organisation whose stays give no access to a person's record: by the person's choice, or after a review.

    `cause`: patient or review.
    """

    organization_id: UUID
    organization: str
    since: datetime
    cause: str = "patient"


async def fetch_refusals(db: Database | Connection, person_id: UUID) -> list[StayRefusal]:
    """Return the organisations whose stays a person refused, newest first."""
    rows = await db.fetch(
        "SELECT organization_id, organization, since, cause FROM access_stay_refusal WHERE person_id = $1"
        " ORDER BY since DESC, organization_id",
        person_id,
    )
    return [StayRefusal(**row) for row in rows]


async def add_refusal(conn: Connection, person_id: UUID, refusal: StayRefusal) -> bool:
    """Insert the refusal of an organisation's stays; return whether it is new."""
    added = await conn.fetchval(
        f"{REFUSAL.insert_sql()} ON CONFLICT DO NOTHING RETURNING true",
        [person_id],
        [refusal.organization_id],
        [refusal.organization],
        [refusal.since],
        [refusal.cause],
    )
    return bool(added)


async def delete_refusal(conn: Connection, person_id: UUID, organization_id: UUID) -> str | None:
    """Delete the refusal of an organisation's stays; return the organisation's name, or None without a refusal."""
    name: str | None = await conn.fetchval(
        "DELETE FROM access_stay_refusal WHERE person_id = $1 AND organization_id = $2 RETURNING organization",
        person_id,
        organization_id,
    )
    return name
