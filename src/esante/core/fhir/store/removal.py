"""Removal of resources at the end of their retention: versions are deleted for good, and leave no trace here."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection


async def remove_sources(conn: Connection, person_id: UUID, sources: Collection[UUID]) -> int:
    """Remove all versions of a person's resources that come from some sources; return how many."""
    status = await conn.execute(
        "DELETE FROM fhir_resource WHERE person_id = $1 AND source = ANY ($2::uuid[])", person_id, list(sources)
    )
    return int(status.rpartition(" ")[2])


async def is_revised(conn: Connection, person_id: UUID, source: UUID) -> bool:
    """Return whether a document says more of its resources now than when it was deposited (`follow_version`)."""
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM fhir_resource WHERE person_id = $1 AND source = $2 AND version > 0)",
            person_id,
            source,
        )
    )


async def remove_versions(
    conn: Connection, person_id: UUID, source: UUID, before: datetime, limit: int
) -> list[tuple[str, UUID]]:
    """Remove up to `limit` versions from a source that were created before a moment, the oldest first.

    Return type and key of the resource of each.
    """
    rows = await conn.fetch(
        "DELETE FROM fhir_resource WHERE (person_id, type, id, source, version) IN ("
        " SELECT person_id, type, id, source, version FROM fhir_resource"
        " WHERE person_id = $1 AND source = $2 AND since < $3 ORDER BY since LIMIT $4)"
        " AND person_id = $1 RETURNING type, id",
        person_id,
        source,
        before,
        limit,
    )
    return [(row["type"], row["id"]) for row in rows]


async def oldest_version(conn: Connection, person_id: UUID, source: UUID) -> datetime | None:
    """Return when the oldest version from a source was created; None when there is none."""
    since: datetime | None = await conn.fetchval(
        "SELECT min(since) FROM fhir_resource WHERE person_id = $1 AND source = $2", person_id, source
    )
    return since


async def existing_resources(
    conn: Connection, person_id: UUID, keys: Collection[tuple[str, UUID]]
) -> set[tuple[str, UUID]]:
    """Return those of a person's resources, by type and key, of which there is any version."""
    rows = await conn.fetch(
        "SELECT DISTINCT r.type, r.id FROM unnest($2::text[], $3::uuid[]) AS k (type, id)"
        " JOIN fhir_resource r ON r.person_id = $1 AND r.type = k.type AND r.id = k.id",
        person_id,
        [type_ for type_, _ in keys],
        [key for _, key in keys],
    )
    return {(row["type"], row["id"]) for row in rows}
