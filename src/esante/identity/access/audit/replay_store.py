"""The SQL of a replay: the grants and referring doctors of many persons."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import Database
from esante.identity.access.consent.store import grant_of_row
from esante.identity.access.model import Grant
from esante.identity.directory import ReferringDoctor

GrantKey = tuple[UUID, UUID]
"""The keys of a person and of a grant."""


async def fetch_grants(db: Database, keys: Sequence[GrantKey]) -> dict[GrantKey, Grant]:
    """Return grants by key, also those that have ended."""
    rows = await db.fetch(
        "SELECT g.* FROM access_grant g JOIN unnest($1::uuid[], $2::uuid[]) AS w (person_id, grant_id)"
        " USING (person_id, grant_id)",
        [person for person, _ in keys],
        [grant for _, grant in keys],
    )
    return {(row["person_id"], row["grant_id"]): grant_of_row(row) for row in rows}


async def fetch_referring_doctors(db: Database, persons: Sequence[UUID]) -> dict[UUID, tuple[ReferringDoctor, ...]]:
    """Return the referring doctors of each person of `persons`; persons without any are missing."""
    rows = await db.fetch(
        "SELECT person_id, practitioner_id, since, until FROM access_referring_doctor WHERE person_id = ANY($1)",
        list(persons),
    )
    found: dict[UUID, tuple[ReferringDoctor, ...]] = {}
    for row in rows:
        found[row["person_id"]] = (*found.get(row["person_id"], ()), ReferringDoctor(**row))
    return found
