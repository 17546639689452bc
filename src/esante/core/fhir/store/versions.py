"""Versions of clinical resources: made, found, locked and ended.

Whoever calls says which sources are seen; of what comes from others nothing is found. The version that is shown of a
resource is the current one of its latest source.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from esante.core.fhir.json_codec import encode
from esante.core.fhir.search import index_json
from esante.core.fhir.store.table import RESOURCE
from esante.core.storage import Connection, Database, Row

Resource = dict[str, Any]
FOREVER = datetime.max.replace(tzinfo=UTC)
LATEST = FOREVER - timedelta(days=1)
"""A moment at which everything that is current was current."""
_MILLISECOND = timedelta(milliseconds=1)
_COLUMNS = "person_id, type, id, source, version, since, deleted, body"
_KEPT = ("profile", "security", "tag", "extension", "source")


class Version(msgspec.Struct, frozen=True):
    """One version of a resource. `body` is its JSON as it is sent, with id and meta; empty where it was deleted.

    `version` counts from 1. In what is taken from a document it is 0: such a version changes never, and several
    documents may tell of the same; there the source stands for the version.
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
        """Its FHIR logical id."""
        return self.person_id.hex + self.id.hex

    @property
    def tag(self) -> str:
        """Its FHIR version id."""
        return version_id(self.version, self.source)

    @property
    def path(self) -> str:
        """Its address below the server's."""
        return f"{self.type}/{self.key}"


def version_id(version: int, source: UUID) -> str:
    """The FHIR version id of a version."""
    return str(version) if version else source.hex


def now() -> datetime:
    """The moment, as exact as FHIR's instants are kept here: milliseconds."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def after(before: datetime) -> datetime:
    """The moment, later than that of the version before."""
    return max(now(), before + _MILLISECOND)


@lru_cache(256)
def instant(at: datetime) -> str:
    """A moment as a FHIR instant."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new(
    resource: Resource, person_id: UUID, id_: UUID, source: UUID, version: int, at: datetime
) -> tuple[Version, Row]:
    """A version of a resource, current from `at`, and its row. Of its own meta only profiles, labels and tags stay."""
    meta = {name: value for name, value in (resource.get("meta") or {}).items() if name in _KEPT}
    meta |= {"versionId": version_id(version, source), "lastUpdated": instant(at)}
    type_ = resource["resourceType"]
    stored = {"resourceType": type_, "id": person_id.hex + id_.hex, "meta": meta}
    stored |= {name: value for name, value in resource.items() if name not in stored}
    made = Version(person_id, type_, id_, source, version, at, False, encode(stored))
    return made, _row(made, index_json(stored))


def deleted(before: Version, at: datetime) -> tuple[Version, Row]:
    """The version after `before` that says there is nothing any more, and its row."""
    made = Version(before.person_id, before.type, before.id, before.source, before.version + 1, at, True, b"")
    return made, _row(made, "{}")


def _row(made: Version, values: str) -> Row:
    key = made.person_id, made.type, made.id, made.source, made.version
    return RESOURCE, (*key, made.since, FOREVER, made.deleted, made.body, values)


Key = tuple[UUID, str, UUID]
"""Person, type and own key of a resource."""


async def current(db: Database | Connection, keys: Sequence[Key]) -> dict[Key, list[Version]]:
    """The current version of each source, the latest source first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS k (person_id, type, id)"  # noqa: S608
        " JOIN fhir_resource USING (person_id, type, id) WHERE until = 'infinity' ORDER BY since DESC, source DESC",
        *(list(column) for column in zip(*keys, strict=True)),
    )
    found: dict[Key, list[Version]] = {}
    for record in rows:
        version = Version(*record)
        found.setdefault((version.person_id, version.type, version.id), []).append(version)
    return found


@dataclass(frozen=True, slots=True)
class Telling:
    """That a source tells of a resource, and since when."""

    type: str
    id: UUID
    source: UUID
    since: datetime


async def tellings(
    db: Database,
    person_id: UUID,
    types: Collection[str],
    ids: Collection[UUID],
    sources: Collection[UUID],
    at: datetime = LATEST,
) -> list[Telling]:
    """Which of `sources` told of some resources of a person at a moment, the latest first."""
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
    return [Telling(*row) for row in rows]


Place = tuple[datetime, str, UUID, UUID, int]
"""Where a page of a history begins: since, type, id, source and version of the last one before it."""
START: Place = (FOREVER, "", UUID(int=0), UUID(int=0), 0)


async def history(
    db: Database,
    person_id: UUID,
    sources: Collection[UUID],
    *,
    types: Iterable[str] | None = None,
    id_: UUID | None = None,
    since: datetime | None = None,
    before: Place = START,
    limit: int,
) -> list[Version]:
    """The versions of a person's resources from `sources`, the latest first, those changed after `since`."""
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


async def version_of(db: Database, key: Key, sources: Collection[UUID], tag: str) -> Version | None:
    """The version of a resource with a FHIR version id, if it comes from one of `sources`."""
    number = int(tag) if tag.isascii() and tag.isdigit() and len(tag) < 10 else 0
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM fhir_resource"  # noqa: S608
        " WHERE person_id = $1 AND type = $2 AND id = $3 AND version = $4 AND source = ANY ($5::uuid[])",
        *key,
        number,
        list(sources),
    )
    return next((version for version in (Version(*record) for record in rows) if version.tag == tag), None)


async def lock(conn: Connection, keys: Iterable[Key]) -> dict[Key, Version]:
    """The current versions of resources that were created directly, locked against other changes until the end of
    the transaction; those that are not there are missing. Locked in one order, so that nobody waits for each other."""
    sorted_keys = sorted(keys)
    if not sorted_keys:
        return {}
    columns = [list(column) for column in zip(*sorted_keys, strict=True)]
    # The first version of each is never removed: it stands for the resource. What is current is read once it is held.
    await conn.execute(
        "SELECT FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS k (person_id, type, id)"
        " JOIN fhir_resource r USING (person_id, type, id) WHERE version = 1 ORDER BY type, id FOR UPDATE OF r",
        *columns,
    )
    found = await current(conn, sorted_keys)
    return {key: versions[0] for key, versions in found.items() if versions[0].version}


@dataclass(frozen=True, slots=True)
class Ending:
    """That a current version ends at a moment. With all versions before it, it comes from `source` from then on."""

    version: Version
    source: UUID
    at: datetime


async def end(conn: Connection, endings: Iterable[Ending]) -> None:
    """End current versions, which are locked."""
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


async def lock_person(conn: Connection, person_id: UUID) -> None:
    """Wait until nobody else decides by a search what to create for a person, until the end of the transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", person_id.int & (2**63 - 1))
