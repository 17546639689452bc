"""SQL of the extent of studies: how many instances they have, and when the last one came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Database


@dataclass(frozen=True, slots=True)
class Extent:
    """The instances of a study, and the moment at which the newest of them was received."""

    instances: int
    newest: datetime


async def fetch_extents(db: Database, person_id: UUID, study_uids: Sequence[str]) -> dict[str, Extent]:
    """Return the extents of studies of a person; those without instances are missing."""
    rows = await db.fetch(
        "SELECT study_uid, count(*) AS instances, max(received_at) AS newest FROM imaging_instance"
        " WHERE person_id = $1 AND study_uid = ANY ($2) GROUP BY study_uid",
        person_id,
        list(study_uids),
    )
    return {row["study_uid"]: Extent(row["instances"], row["newest"]) for row in rows}
