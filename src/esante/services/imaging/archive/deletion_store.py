"""SQL of the deletion of studies, and of the objects that are left over."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Kind, Table, insert

REMOVAL = Table("imaging_object_removal", Kind.LOCAL, {"object_name": "text", "since": "timestamptz"}, once=True)


async def find_studies_of_documents(conn: Connection, person_id: UUID, series_ids: Collection[UUID]) -> list[str]:
    """Return the Study UIDs of a person's studies for which one of some documents stands."""
    rows = await conn.fetch(
        "SELECT study_uid FROM imaging_study WHERE person_id = $1 AND document_series_id = ANY ($2)",
        person_id,
        list(series_ids),
    )
    return [row["study_uid"] for row in rows]


async def find_studies(conn: Connection, person_id: UUID, most: int) -> list[str]:
    """Return the Study UIDs of up to `most` studies of a person."""
    rows = await conn.fetch("SELECT study_uid FROM imaging_study WHERE person_id = $1 LIMIT $2", person_id, most)
    return [row["study_uid"] for row in rows]


async def delete_studies(conn: Connection, person_id: UUID, study_uids: Collection[str], now: datetime) -> int:
    """Delete studies of a person, and plan the removal of their objects; return how many instances they had."""
    uids = list(study_uids)
    rows = await conn.fetch(
        "DELETE FROM imaging_instance WHERE person_id = $1 AND study_uid = ANY ($2) RETURNING object_name",
        person_id,
        uids,
    )
    await conn.execute("DELETE FROM imaging_series WHERE person_id = $1 AND study_uid = ANY ($2)", person_id, uids)
    await conn.execute("DELETE FROM imaging_study WHERE person_id = $1 AND study_uid = ANY ($2)", person_id, uids)
    await conn.execute(
        "DELETE FROM imaging_study_person WHERE study_uid = ANY ($2) AND person_id = $1", person_id, uids
    )
    await insert(conn, [(REMOVAL, (name, now)) for name in sorted({row["object_name"] for row in rows} - {""})])
    return len(rows)


async def take_removals(conn: Connection, before: datetime, most: int) -> list[str]:
    """Forget up to `most` removals planned before a moment; return the names of the objects."""
    rows = await conn.fetch(
        "DELETE FROM imaging_object_removal WHERE object_name IN"
        " (SELECT object_name FROM imaging_object_removal WHERE since < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)"
        " RETURNING object_name",
        before,
        most,
    )
    return [row["object_name"] for row in rows]
