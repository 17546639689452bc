"""Whether a study is complete: how many instances are expected, by what its sender said, and how many were received.

Nobody knows it by default. A manifest of the study (Key Object Selection, PS3.3, C.17.6.2) names its instances; else
headers may hold the Number of Study Related Instances, or of Series Related Instances of every series.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from esante.core.storage import Database
from esante.core.types import Json
from esante.services.imaging.archive import completeness_store as store
from esante.services.imaging.archive.levels import SERIES_INSTANCES, STUDY_INSTANCES, STUDY_SERIES
from esante.services.imaging.ingest.values import items_of

MANIFEST = "1.2.840.10008.5.1.4.1.1.88.59"
"""The SOP class of a Key Object Selection."""
_EVIDENCE, _SERIES, _INSTANCES, _INSTANCE_UID = "0040A375", "00081115", "00081199", "00081155"


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many instances of a study were received of those expected; `by_series`: it counts series instead."""

    received: int
    expected: int
    by_series: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.received >= self.expected


async def find_completeness(db: Database, person_id: UUID, study_uids: Sequence[str]) -> dict[str, Completeness]:
    """Return the completeness of studies of a person; those of which nothing is expected are missing."""
    counts = await store.count_instances(db, person_id, study_uids)
    headers = await store.fetch_first_headers(db, person_id, study_uids)
    manifests = await store.fetch_newest_manifests(db, person_id, study_uids, MANIFEST)
    listed = {uid: listed_instances(header) for uid, header in manifests.items()}
    stored = await store.find_stored(db, person_id, [uid for uids in listed.values() for uid in uids])
    found = {}
    for study_uid in study_uids:
        verdict = by_manifest(listed.get(study_uid, ()), stored) or by_headers(
            counts.get(study_uid, {}), headers.get(study_uid, {})
        )
        if verdict is not None:
            found[study_uid] = verdict
    return found


def listed_instances(manifest: Json) -> frozenset[str]:
    """Return the instances that a manifest names (DICOM JSON)."""
    return frozenset(
        str(uid)
        for study in items_of(manifest, _EVIDENCE)
        for series in items_of(study, _SERIES)
        for instance in items_of(series, _INSTANCES)
        for uid in instance.get(_INSTANCE_UID, {}).get("Value", ())
    )


def by_manifest(listed: Collection[str], stored: Collection[str]) -> Completeness | None:
    """Return the completeness by the instances that a manifest names; None where it names none."""
    return Completeness(sum(uid in stored for uid in listed), len(listed)) if listed else None


def by_headers(counts: Mapping[str, int], headers: Mapping[str, Json]) -> Completeness | None:
    """Return the completeness by one header of each series; None where they do not say what is expected.

    `counts`: the instances received, by series.
    """
    received = sum(counts.values())
    if (expected := _largest(headers, STUDY_INSTANCES)) is not None:
        return Completeness(received, expected)
    series = _largest(headers, STUDY_SERIES)
    if series is not None and len(counts) < series:
        return Completeness(len(counts), series, by_series=True)
    each = [_number(header, SERIES_INSTANCES) for header in headers.values()]
    if series is not None and each and None not in each:
        return Completeness(received, sum(one for one in each if one is not None))
    return None


def _largest(headers: Mapping[str, Json], tag: str) -> int | None:
    numbers = [number for header in headers.values() if (number := _number(header, tag)) is not None]
    return max(numbers, default=None)


def _number(header: Json, tag: str) -> int | None:
    value = next(iter(header.get(tag, {}).get("Value", ())), None)
    return value if isinstance(value, int) and value > 0 else None
