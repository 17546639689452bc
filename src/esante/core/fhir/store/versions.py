"""Versions of clinical resources: create, fetch, lock and end them.

Callers name the sources that may be seen; nothing from other sources is returned. The version that is shown of a
resource is the current one of its latest source.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import msgspec

from esante.core import clock
from esante.core.fhir.json_codec import encode
from esante.core.fhir.search import index_json
from esante.core.fhir.store.table import RESOURCE
from esante.core.storage import Connection, Database, Row, insert_in_batches
from esante.core.types import Json

FOREVER = datetime.max.replace(tzinfo=UTC)
LATEST = FOREVER - timedelta(days=1)
"""A time at which every current version is current."""
_MILLISECOND = timedelta(milliseconds=1)
_COLUMNS = "person_id, type, id, source, version, since, deleted, body"
_KEPT_META = ("profile", "security", "tag", "extension", "source")


class Version(msgspec.Struct, frozen=True):
    """One version of a resource. `body` is its JSON as it is sent, with id and meta; empty for a deletion.

    `source` is the document or contribution that it comes from. `version` counts from 1. For a resource extracted from
    a document it is 0, and several documents may contain the same resource; there the source identifies the version.
    It never changes but for documents whose service says more later (`follow_version`).
    """

    person_id: UUID
    type: str
    id: UUID
    source: UUID
    version: int
    since: datetime
    deleted: bool
    body: bytes

    @property
    def key(self) -> str:
        """The FHIR logical id."""
        return self.person_id.hex + self.id.hex

    @property
    def tag(self) -> str:
        """The FHIR version id."""
        return version_id(self.version, self.source)

    @property
    def path(self) -> str:
        """The relative URL: type and logical id."""
        return f"{self.type}/{self.key}"


def version_id(version: int, source: UUID) -> str:
    """Return the FHIR version id of a version."""
    return str(version) if version else source.hex


def now() -> datetime:
    """Return the current time in milliseconds, the precision in which instants are stored."""
    at = clock.now()
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def instant_after(before: datetime) -> datetime:
    """Return the current time, or a millisecond after `before` where that is later."""
    return max(now(), before + _MILLISECOND)


@lru_cache(256)
def format_instant(at: datetime) -> str:
    """Return a time as a FHIR instant."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def create_version(
    resource: Json, person_id: UUID, id_: UUID, source: UUID, version: int, at: datetime
) -> tuple[Version, Row]:
    """Return a version of a resource, current from `at`, and its row. Of its meta, `_KEPT_META` is kept."""
    meta = {name: value for name, value in (resource.get("meta") or {}).items() if name in _KEPT_META}
    meta |= {"versionId": version_id(version, source), "lastUpdated": format_instant(at)}
    type_ = resource["resourceType"]
    stored = {"resourceType": type_, "id": person_id.hex + id_.hex, "meta": meta}
    stored |= {name: value for name, value in resource.items() if name not in stored}
    created = Version(person_id, type_, id_, source, version, at, False, encode(stored))
    return created, _row(created, index_json(stored))


def create_deletion(before: Version, at: datetime) -> tuple[Version, Row]:
    """Return the version after `before` that marks the resource as deleted, and its row."""
    created = Version(before.person_id, before.type, before.id, before.source, before.version + 1, at, True, b"")
    return created, _row(created, "{}")


def _row(created: Version, values: str) -> Row:
    key = created.person_id, created.type, created.id, created.source, created.version
    return RESOURCE, (*key, created.since, FOREVER, created.deleted, created.body, values)


ResourceKey = tuple[UUID, str, UUID]
"""Person, type and own key of a resource."""


async def fetch_current(
    db: Database | Connection, keys: Sequence[ResourceKey], sources: Collection[UUID] | None = None
) -> dict[ResourceKey, list[Version]]:
    """Return the current version of each source by resource, the latest source first; `sources` None: of all."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS k (person_id, type, id)"  # noqa: S608
        " JOIN fhir_resource USING (person_id, type, id)"
        " WHERE until = 'infinity' AND ($4::uuid[] IS NULL OR source = ANY ($4)) ORDER BY since DESC, source DESC",
        *(list(column) for column in zip(*keys, strict=True)),
        None if sources is None else list(sources),
    )
    found: dict[ResourceKey, list[Version]] = {}
    for record in rows:
        version = Version(*record)
        found.setdefault((version.person_id, version.type, version.id), []).append(version)
    return found


SourcedKey = tuple[UUID, str, UUID, UUID]
"""Person, type and own key of a resource, and one of its sources."""


async def fetch_from_sources(db: Database, keys: Sequence[SourcedKey]) -> dict[SourcedKey, Version]:
    """Return the current version of resources from one source each."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[])"  # noqa: S608
        " AS k (person_id, type, id, source) JOIN fhir_resource USING (person_id, type, id, source)"
        " WHERE until = 'infinity'",
        *(list(column) for column in zip(*keys, strict=True)),
    )
    versions = [Version(*record) for record in rows]
    return {(one.person_id, one.type, one.id, one.source): one for one in versions}


@dataclass(frozen=True, slots=True)
class SourceOccurrence:
    """A source that contains a resource, and since when."""

    type: str
    id: UUID
    source: UUID
    since: datetime


async def fetch_occurrences(
    db: Database,
    person_id: UUID,
    types: Collection[str],
    ids: Collection[UUID],
    sources: Collection[UUID],
    at: datetime = LATEST,
) -> list[SourceOccurrence]:
    """Return which of `sources` contained some resources of a person at a time, the latest first."""
    rows = await db.fetch(
        "SELECT type, id, source, since FROM fhir_resource"
        " WHERE person_id = $1 AND type = ANY ($2::text[]) AND id = ANY ($3::uuid[]) AND source = ANY ($4::uuid[])"
        " AND since <= $5 AND until > $5 AND NOT deleted ORDER BY since DESC, source DESC",
        person_id,
        list(types),
        list(ids),
        list(sources),
        at,
    )
    return [SourceOccurrence(*row) for row in rows]


HistoryPosition = tuple[datetime, str, UUID, UUID, int]
"""The position in a history at which a page begins: since, type, id, source and version of the last one before it."""
HISTORY_START: HistoryPosition = (FOREVER, "", UUID(int=0), UUID(int=0), 0)


async def fetch_history(
    db: Database,
    person_id: UUID,
    sources: Collection[UUID],
    *,
    types: Iterable[str] | None = None,
    id_: UUID | None = None,
    since: datetime | None = None,
    before: HistoryPosition = HISTORY_START,
    limit: int,
) -> list[Version]:
    """Return the versions of a person's resources from `sources`, the latest first, those created from `since` on."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM fhir_resource"  # noqa: S608
        " WHERE person_id = $1 AND source = ANY ($2::uuid[]) AND ($3::text[] IS NULL OR type = ANY ($3))"
        " AND ($4::uuid IS NULL OR id = $4) AND since >= $5"
        " AND (since, type, id, source, version) < ($6, $7, $8, $9, $10)"
        " ORDER BY since DESC, type DESC, id DESC, source DESC, version DESC LIMIT $11",
        person_id,
        list(sources),
        None if types is None else list(types),
        id_,
        since or datetime.min.replace(tzinfo=UTC),
        *before,
        limit,
    )
    return [Version(*record) for record in rows]


async def fetch_version(db: Database, key: ResourceKey, sources: Collection[UUID], tag: str) -> Version | None:
    """Return the version of a resource with a FHIR version id, if it comes from one of `sources`."""
    number = int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else 0
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM fhir_resource"  # noqa: S608
        " WHERE person_id = $1 AND type = $2 AND id = $3 AND version = $4 AND source = ANY ($5::uuid[])",
        *key,
        number,
        list(sources),
    )
    return next((version for version in (Version(*record) for record in rows) if version.tag == tag), None)


async def lock_versions(conn: Connection, keys: Iterable[ResourceKey]) -> dict[ResourceKey, Version]:
    """Lock resources that were created directly until the end of the transaction, and return their current versions.

    Resources that do not exist are left out. They are locked in one order, which prevents deadlocks.
    """
    sorted_keys = sorted(keys)
    if not sorted_keys:
        return {}
    # The first version is never removed, so its row serves as the lock; the current one is read under the lock. A
    # statement for each person, mostly one: a cluster locks rows of a single shard only. An id that has the type of
    # another one would be locked too, which harms nobody.
    for person_id, of_person in groupby(sorted_keys, key=itemgetter(0)):
        _, types, ids = zip(*of_person, strict=True)
        await conn.execute(
            "SELECT FROM fhir_resource WHERE person_id = $1 AND version = 1"
            " AND type = ANY ($2::text[]) AND id = ANY ($3::uuid[]) ORDER BY type, id FOR UPDATE",
            person_id,
            list(set(types)),
            ids,
        )
    found = await fetch_current(conn, sorted_keys)
    return {key: versions[0] for key, versions in found.items() if versions[0].version}


@dataclass(frozen=True, slots=True)
class VersionEnd:
    """The end of a current version at a time. All versions of the resource get the source `source`."""

    version: Version
    source: UUID
    at: datetime


async def end_versions(conn: Connection, endings: Iterable[VersionEnd]) -> None:
    """End current versions, which the caller has locked."""
    endings = list(endings)
    keys = [(ending.version.person_id, ending.version.type, ending.version.id, ending.at) for ending in endings]
    if keys:
        await conn.execute(
            "UPDATE fhir_resource r SET until = k.at"
            " FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[]) AS k (person_id, type, id, at)"
            " WHERE (r.person_id, r.type, r.id) = (k.person_id, k.type, k.id) AND r.until = 'infinity'",
            *(list(column) for column in zip(*keys, strict=True)),
        )
    for ending in endings:
        if ending.source != ending.version.source:
            await conn.execute(
                "UPDATE fhir_resource SET source = $4 WHERE person_id = $1 AND type = $2 AND id = $3",
                ending.version.person_id,
                ending.version.type,
                ending.version.id,
                ending.source,
            )


async def follow_version(conn: Connection, before: Version, resource: Json) -> None:
    """End a current version from a source, and write what the same source says of the resource from now on."""
    at = instant_after(before.since)
    await conn.execute(
        "UPDATE fhir_resource SET until = $6 WHERE person_id = $1 AND type = $2 AND id = $3 AND source = $4"
        " AND version = $5",
        before.person_id,
        before.type,
        before.id,
        before.source,
        before.version,
        at,
    )
    _, row = create_version(resource, before.person_id, before.id, before.source, before.version + 1, at)
    await insert_in_batches(conn, [row])


async def lock_person(conn: Connection, person_id: UUID) -> None:
    """Lock conditional creation for a person until the end of the transaction.

    Otherwise two searches could both decide to create the same resource.
    """
    await conn.execute("SELECT pg_advisory_xact_lock($1)", person_id.int & (2**63 - 1))
