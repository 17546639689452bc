"""SQL of studies that are withheld from their patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table

RELEASE = Table(
    "imaging_release",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "study_uid": "text",
        "withheld_until": "timestamptz",
        "set_at": "timestamptz",
        "set_by": "text",
    },
)


@dataclass(frozen=True, slots=True)
class Release:
    """Until when a study is withheld from its patient, since when, and who set that."""

    withheld_until: datetime
    set_at: datetime
    set_by: str


def release_row(person_id: UUID, study_uid: str, release: Release) -> Row:
    """Return the row of a study that is withheld from the moment on at which it comes in."""
    return RELEASE, (person_id, study_uid, release.withheld_until, release.set_at, release.set_by)


async def fetch_releases(db: Database | Connection, person_id: UUID, study_uids: Sequence[str]) -> dict[str, Release]:
    """Return what was set for studies of a person, by Study UID."""
    rows = await db.fetch(
        "SELECT study_uid, withheld_until, set_at, set_by FROM imaging_release"
        " WHERE person_id = $1 AND study_uid = ANY ($2)",
        person_id,
        list(study_uids),
    )
    return {row["study_uid"]: Release(row["withheld_until"], row["set_at"], row["set_by"]) for row in rows}


async def set_release(conn: Connection, person_id: UUID, study_uid: str, release: Release) -> None:
    """Set until when a study is withheld, in place of what was set before."""
    await conn.execute(
        "INSERT INTO imaging_release (person_id, study_uid, withheld_until, set_at, set_by)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (person_id, study_uid) DO UPDATE SET"
        " withheld_until = excluded.withheld_until, set_at = excluded.set_at, set_by = excluded.set_by",
        person_id,
        study_uid,
        release.withheld_until,
        release.set_at,
        release.set_by,
    )
