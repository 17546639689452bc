"""SQL of dose reports."""

import zlib
from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import Database
from esante.services.imaging.dose.report import DOSE_REPORTS

MAX_REPORTS = 2_000
"""Reports of a person that are read."""


async def fetch_dose_reports(db: Database, person_id: UUID, study_uids: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return Study UID and DICOM JSON of the dose reports of studies of a person."""
    # The condition on the class is that of the index, word for word.
    classes = ", ".join(f"'{uid}'" for uid in DOSE_REPORTS)
    rows = await db.fetch(
        f"SELECT study_uid, metadata FROM imaging_instance WHERE person_id = $1 AND study_uid = ANY ($2)"  # noqa: S608
        f" AND sop_class_uid IN ({classes}) ORDER BY study_uid, instance_uid LIMIT {MAX_REPORTS}",
        person_id,
        list(study_uids),
    )
    return [(row["study_uid"], zlib.decompress(row["metadata"])) for row in rows]
