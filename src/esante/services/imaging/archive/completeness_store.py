"""SQL of the completeness of studies."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import orjson

from esante.core.storage import Database
from esante.core.types import Json


async def count_instances(db: Database, person_id: UUID, study_uids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many instances of studies were received, by study and series."""
    rows = await db.fetch(
        "SELECT study_uid, series_uid, count(*) AS instances FROM imaging_instance"
        " WHERE person_id = $1 AND study_uid = ANY ($2) GROUP BY study_uid, series_uid",
        person_id,
        list(study_uids),
    )
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row["study_uid"]][row["series_uid"]] = row["instances"]
    return found


async def fetch_first_headers(db: Database, person_id: UUID, study_uids: Sequence[str]) -> dict[str, dict[str, Json]]:
    """Return the header of one instance of each series of studies, by study and series."""
    rows = await db.fetch(
        """
        SELECT s.study_uid, s.series_uid, i.metadata FROM imaging_series s CROSS JOIN LATERAL (
            SELECT metadata FROM imaging_instance
            WHERE person_id = s.person_id AND study_uid = s.study_uid AND series_uid = s.series_uid
            ORDER BY instance_uid LIMIT 1
        ) i WHERE s.person_id = $1 AND s.study_uid = ANY ($2)
        """,
        person_id,
        list(study_uids),
    )
    found: defaultdict[str, dict[str, Json]] = defaultdict(dict)
    for row in rows:
        found[row["study_uid"]][row["series_uid"]] = _header(row["metadata"])
    return found


async def fetch_newest_manifests(
    db: Database, person_id: UUID, study_uids: Sequence[str], sop_class_uid: str
) -> dict[str, Json]:
    """Return the header of the instance of a SOP class that came last, of each study that has one."""
    rows = await db.fetch(
        "SELECT DISTINCT ON (study_uid) study_uid, metadata FROM imaging_instance"
        " WHERE person_id = $1 AND study_uid = ANY ($2) AND sop_class_uid = $3"
        " ORDER BY study_uid, received_at DESC, instance_uid",
        person_id,
        list(study_uids),
        sop_class_uid,
    )
    return {row["study_uid"]: _header(row["metadata"]) for row in rows}


async def find_stored(db: Database, person_id: UUID, instance_uids: Sequence[str]) -> set[str]:
    """Return those of some instances of a person that are stored."""
    rows = await db.fetch(
        "SELECT instance_uid FROM imaging_instance WHERE person_id = $1 AND instance_uid = ANY ($2)",
        person_id,
        list(instance_uids),
    )
    return {row["instance_uid"] for row in rows}


def _header(metadata: bytes) -> Json:
    found: Json = orjson.loads(zlib.decompress(metadata))
    return found
