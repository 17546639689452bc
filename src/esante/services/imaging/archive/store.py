"""SQL of studies, series and instances."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.core.types import Json
from esante.services.imaging.ingest.frames import FrameIndex
from esante.services.imaging.model import Instance, Series, Study

STUDY = Table(
    "imaging_study",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "study_uid": "text",
        "document_series_id": "uuid",
        "depositor_id": "uuid",
        "study_on": "date",
        "accession_number": "text",
        "attributes": "bytea",
        "received_at": "timestamptz",
    },
)
SERIES = Table(
    "imaging_series",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "series_uid": "text",
        "study_uid": "text",
        "modality": "text",
        "attributes": "bytea",
        "received_at": "timestamptz",
        "location_uid": "text",
    },
    once=True,
)
INSTANCE = Table(
    "imaging_instance",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "instance_uid": "text",
        "series_uid": "text",
        "study_uid": "text",
        "sop_class_uid": "text",
        "transfer_syntax_uid": "text",
        "instance_number": "integer",
        "attributes": "bytea",
        "metadata": "bytea",
        "frames": "bytea",
        "object_name": "text",
        "object_offset": "bigint",
        "size": "bigint",
        "sha256": "bytea",
        "received_at": "timestamptz",
    },
)
STUDY_PERSON = Table(
    "imaging_study_person",
    Kind.LOCAL,
    {"study_uid": "text", "person_id": "uuid", "document_series_id": "uuid"},
)
_STUDY = ", ".join(STUDY.columns)
_SERIES = ", ".join(SERIES.columns)
_LISTED = [name for name in INSTANCE.columns if name not in ("metadata", "frames")]
_INSTANCE = ", ".join(_LISTED)
_BY_NUMBER = "ORDER BY series_uid, instance_number NULLS LAST, instance_uid"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a study is, and the document of the record that stands for it."""

    person_id: UUID
    document_series_id: UUID


@dataclass(frozen=True, slots=True)
class Counts:
    """The modalities of a study (or series), and how many series and instances it has."""

    modalities: tuple[str, ...]
    series: int
    instances: int


def study_rows(study: Study) -> list[Row]:
    """Return the rows of a new study."""
    values = (
        study.person_id,
        study.study_uid,
        study.document_series_id,
        study.depositor_id,
        study.study_on,
        study.accession_number,
        orjson.dumps(study.attributes),
        study.received_at,
    )
    return [(STUDY, values), (STUDY_PERSON, (study.study_uid, study.person_id, study.document_series_id))]


def series_row(series: Series) -> Row:
    """Return the row of a series; one that is stored already is kept."""
    return SERIES, (
        series.person_id,
        series.series_uid,
        series.study_uid,
        series.modality,
        orjson.dumps(series.attributes),
        series.received_at,
        series.location_uid,
    )


def compress_metadata(json: Json) -> bytes:
    """Return a header in DICOM JSON as it is stored."""
    return zlib.compress(orjson.dumps(json), 1)


def instance_row(instance: Instance, metadata: bytes, frames: FrameIndex) -> Row:
    """Return the row of a new instance; `metadata` as `compress_metadata` returns it."""
    values: dict[str, Any] = {name: getattr(instance, name) for name in _LISTED}
    values |= {"attributes": orjson.dumps(instance.attributes), "metadata": metadata, "frames": frames.encode()}
    return INSTANCE, tuple(values[name] for name in INSTANCE.columns)


async def fetch_places(db: Database | Connection, study_uids: Sequence[str]) -> dict[str, Place]:
    """Return whose the studies are; those that nobody has are missing."""
    rows = await db.fetch(
        "SELECT study_uid, person_id, document_series_id FROM imaging_study_person WHERE study_uid = ANY ($1)",
        list(study_uids),
    )
    return {row["study_uid"]: Place(row["person_id"], row["document_series_id"]) for row in rows}


async def fetch_studies(db: Database, person_id: UUID, document_series_ids: Sequence[UUID]) -> list[Study]:
    """Return the studies of a person with these documents, the latest first."""
    rows = await db.fetch(
        f"SELECT {_STUDY} FROM imaging_study WHERE person_id = $1 AND document_series_id = ANY ($2)"  # noqa: S608
        " ORDER BY study_on DESC NULLS LAST, study_uid",
        person_id,
        list(document_series_ids),
    )
    return [Study(**_with_attributes(row)) for row in rows]


async def fetch_series(db: Database, person_id: UUID, study_uids: Sequence[str]) -> list[Series]:
    """Return the series of studies of a person."""
    rows = await db.fetch(
        f"SELECT {_SERIES} FROM imaging_series WHERE person_id = $1 AND study_uid = ANY ($2)"  # noqa: S608
        " ORDER BY study_uid, received_at, series_uid",
        person_id,
        list(study_uids),
    )
    return [Series(**_with_attributes(row)) for row in rows]


async def count_by_study(db: Database, person_id: UUID, study_uids: Sequence[str]) -> dict[str, Counts]:
    """Return what the studies of a person have."""
    rows = await db.fetch(
        """
        SELECT study_uid, array_agg(DISTINCT modality ORDER BY modality) AS modalities, count(*) AS series,
            (SELECT count(*) FROM imaging_instance i WHERE i.person_id = $1 AND i.study_uid = s.study_uid) AS instances
        FROM imaging_series s WHERE person_id = $1 AND study_uid = ANY ($2) GROUP BY study_uid
        """,
        person_id,
        list(study_uids),
    )
    return {row["study_uid"]: Counts(tuple(row["modalities"]), row["series"], row["instances"]) for row in rows}


async def count_by_series(db: Database, person_id: UUID, study_uids: Sequence[str]) -> dict[str, int]:
    """Return the instances of each series of studies of a person."""
    rows = await db.fetch(
        "SELECT series_uid, count(*) AS instances FROM imaging_instance"
        " WHERE person_id = $1 AND study_uid = ANY ($2) GROUP BY series_uid",
        person_id,
        list(study_uids),
    )
    return {row["series_uid"]: row["instances"] for row in rows}


async def fetch_instances(
    db: Database,
    person_id: UUID,
    study_uids: Sequence[str],
    series_uid: str | None = None,
    instance_uid: str | None = None,
) -> list[Instance]:
    """Return the instances of studies of a person, or of one series, or the one instance."""
    rows = await db.fetch(
        f"SELECT {_INSTANCE} FROM imaging_instance WHERE person_id = $1 AND study_uid = ANY ($2)"  # noqa: S608
        f" AND ($3::text IS NULL OR series_uid = $3) AND ($4::text IS NULL OR instance_uid = $4) {_BY_NUMBER}",
        person_id,
        list(study_uids),
        series_uid,
        instance_uid,
    )
    return [Instance(**_with_attributes(row)) for row in rows]


async def find_instance(
    db: Database, person_id: UUID, study_uid: str, series_uid: str, instance_uid: str
) -> tuple[Instance, FrameIndex] | None:
    """Return an instance of a person with the index of its frames; None where there is none."""
    row = await db.fetchrow(
        f"SELECT {_INSTANCE}, frames FROM imaging_instance"  # noqa: S608
        " WHERE person_id = $1 AND instance_uid = $2 AND study_uid = $3 AND series_uid = $4",
        person_id,
        instance_uid,
        study_uid,
        series_uid,
    )
    if row is None:
        return None
    values = _with_attributes(row)
    return Instance(**{name: values[name] for name in _LISTED}), FrameIndex.decode(row["frames"])


async def fetch_metadata(
    db: Database, person_id: UUID, study_uid: str, series_uid: str | None = None, instance_uid: str | None = None
) -> list[tuple[str, str, bytes]]:
    """Return series UID, instance UID and DICOM JSON of the instances of a study, a series, or the one instance."""
    rows = await db.fetch(
        "SELECT series_uid, instance_uid, metadata FROM imaging_instance"  # noqa: S608
        " WHERE person_id = $1 AND study_uid = $2 AND ($3::text IS NULL OR series_uid = $3)"
        f" AND ($4::text IS NULL OR instance_uid = $4) {_BY_NUMBER}",
        person_id,
        study_uid,
        series_uid,
        instance_uid,
    )
    return [(row["series_uid"], row["instance_uid"], zlib.decompress(row["metadata"])) for row in rows]


async def fetch_stored(db: Database, person_id: UUID, instance_uids: Iterable[str]) -> dict[str, tuple[str, bytes]]:
    """Return the series UID and the SHA-256 of the instances of a person that are stored."""
    rows = await db.fetch(
        "SELECT instance_uid, series_uid, sha256 FROM imaging_instance"
        " WHERE person_id = $1 AND instance_uid = ANY ($2)",
        person_id,
        list(instance_uids),
    )
    return {row["instance_uid"]: (row["series_uid"], row["sha256"]) for row in rows}


async def fetch_studies_of_series(db: Database, person_id: UUID, series_uids: Iterable[str]) -> dict[str, str]:
    """Return the Study UID of the series of a person that are stored."""
    rows = await db.fetch(
        "SELECT series_uid, study_uid FROM imaging_series WHERE person_id = $1 AND series_uid = ANY ($2)",
        person_id,
        list(series_uids),
    )
    return {row["series_uid"]: row["study_uid"] for row in rows}


def _with_attributes(row: Any) -> dict[str, Any]:
    values = dict(row)
    return values | {"attributes": orjson.loads(values["attributes"])}
