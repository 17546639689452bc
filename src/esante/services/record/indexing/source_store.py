"""SQL of the sources of clinical resources, and of which documents are indexed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from esante.core.fhir.store import RESOURCE, ResourceKey
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access import Confidentiality, ReadFilter
from esante.services.record.indexing.sources import PersonSources, Source, UnindexedDocument
from esante.services.record.model import INDEXED
from esante.services.record.read_filter_store import (
    BY_COLUMNS,
    by_arrays,
    filter_columns,
    filter_values,
    readable,
    readable_by_row,
)
from esante.services.record.retention.rules import last_kept_day

CONTRIBUTION = Table(
    "contribution",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "contribution_id": "uuid",
        "category": "text",
        "confidentiality": "text",
        "author_kind": "text",
        "author_id": "uuid",
        "author": "text",
        "organization_id": "uuid",
        "organization": "text",
        "began_at": "timestamptz",
        "expires_on": "date",
    },
    once=True,
)
DOCUMENT_OPENING = Table(
    "document_opening",
    Kind.PERSON,
    {"person_id": "uuid", "document_id": "uuid", "opened_at": "timestamptz", "problem": "text"},
)

SourceKey = tuple[UUID, UUID]
"""The keys of a person and of a source."""
ViewKey = tuple[UUID, ReadFilter]
"""The key of a person, and which of their sources may be read."""

_COLUMNS = "category, confidentiality, author_kind, author_id, author, organization_id, organization"
_IS_SOURCE = f"status = 'current' AND media_type IN ({', '.join(repr(one) for one in INDEXED)})"
# What the platform compiled repeats what the record's resources say already, and is never indexed.
_IS_UNINDEXED = (
    "author_kind <> 'system' AND NOT EXISTS"
    " (SELECT FROM document_opening o WHERE o.person_id = d.person_id AND o.document_id = d.document_id)"
)
_DOCUMENT = f"person_id, document_id, true, {_COLUMNS}, deposited_at, series_id, event_date, restricted_lines"
_CONTRIBUTION = f"person_id, contribution_id, false, {_COLUMNS}, began_at, NULL::uuid, NULL::date, ''"
_LEVELS = {level.value: level for level in Confidentiality}


@dataclass(frozen=True, slots=True)
class _ViewStatement:
    """A statement that returns rows of the views of its keys, each with the place of its key.

    `template` has {place}, and where rows are selected {keys}, {is_readable} or, for contributions, {may_be_read}.
    """

    template: str

    async def fetch(self, db: Database | Connection, keys: Sequence[ViewKey]) -> list[tuple[ViewKey, list[Any]]]:
        """Return for each row its key and the columns after the place."""
        together = [key for key in keys if not key[1].is_own_only] if len(keys) > 1 else []
        found = await self._fetch_many(db, together) if together else []
        for key in keys:
            if key not in together:
                found += await self._fetch_one(db, key)
        return found

    async def _fetch_one(self, db: Database | Connection, key: ViewKey) -> list[tuple[ViewKey, list[Any]]]:
        """Fetch with a statement that a cluster can plan."""
        person_id, wanted = key
        sql = self.template.format(
            place="1",
            keys="WHERE d.person_id = $1",
            is_readable=readable(wanted, 2),
            may_be_read=readable(wanted, 2, documents=False),
        )
        return [(key, columns) for _, *columns in await db.fetch(sql, person_id, *filter_values(wanted))]

    async def _fetch_many(self, db: Database | Connection, keys: Sequence[ViewKey]) -> list[tuple[ViewKey, list[Any]]]:
        rows = f"unnest($1::uuid[], {by_arrays(2)}) WITH ORDINALITY AS k (person_id, {BY_COLUMNS}, place)"
        sql = self.template.format(
            place="place",
            keys=f"JOIN {rows} USING (person_id) WHERE true",
            is_readable=readable_by_row(),
            may_be_read=readable_by_row(documents=False),
        )
        found = await db.fetch(
            sql, [person_id for person_id, _ in keys], *filter_columns([wanted for _, wanted in keys])
        )
        return [(keys[place - 1], columns) for place, *columns in found]


_SOURCES = _ViewStatement(
    f"SELECT {{place}}, {_DOCUMENT}, CASE WHEN {_IS_UNINDEXED} THEN sha256 END, media_type"  # noqa: S608
    f" FROM document d {{keys}} AND {_IS_SOURCE} AND {{is_readable}} UNION ALL"
    f" SELECT {{place}}, {_CONTRIBUTION}, NULL, NULL FROM contribution d {{keys}} AND {{may_be_read}}"
)
_UNINDEXED = _ViewStatement(
    "SELECT {place}, document_id, deposited_at, sha256, media_type FROM document d {keys}"  # noqa: S608
    f" AND {_IS_SOURCE} AND {_IS_UNINDEXED} AND {{is_readable}}"
)


async def fetch_person_sources(db: Database | Connection, keys: Sequence[ViewKey]) -> dict[ViewKey, PersonSources]:
    """Return the sources of persons that may be read; persons without any are missing."""
    by_key: dict[ViewKey, PersonSources] = {}
    for key, (*columns, sha256, media_type) in await _SOURCES.fetch(db, keys):
        if (sources := by_key.get(key)) is None:
            sources = by_key[key] = PersonSources()
        source = _source(columns)
        sources.all.append(source)
        if sha256 is not None:
            sources.unindexed.append(UnindexedDocument(source.id, source.at, sha256, media_type))
    return by_key


async def fetch_unindexed(db: Database, keys: Sequence[ViewKey]) -> dict[ViewKey, list[UnindexedDocument]]:
    """Return the current documents that may be read and are not indexed yet; persons without any are missing."""
    by_key: dict[ViewKey, list[UnindexedDocument]] = {}
    for key, columns in await _UNINDEXED.fetch(db, keys):
        by_key.setdefault(key, []).append(UnindexedDocument(*columns))
    return by_key


async def fetch_unindexed_documents(
    conn: Connection, person_id: UUID, documents: Sequence[UUID]
) -> list[UnindexedDocument]:
    """Return those of a person's documents that are current, may hold resources, and are not indexed yet."""
    rows = await conn.fetch(
        "SELECT document_id, deposited_at, sha256, media_type FROM document d"  # noqa: S608
        f" WHERE person_id = $1 AND document_id = ANY ($2::uuid[]) AND {_IS_SOURCE} AND {_IS_UNINDEXED}",
        person_id,
        list(documents),
    )
    return [UnindexedDocument(*row) for row in rows]


async def fetch_sources(db: Database | Connection, keys: Sequence[SourceKey]) -> dict[SourceKey, Source]:
    """Return sources by key; documents that are not current are missing."""
    persons, ids = [person for person, _ in keys], [id_ for _, id_ in keys]
    rows = await db.fetch(
        f"SELECT {_DOCUMENT} FROM document"  # noqa: S608
        f" WHERE person_id = ANY ($1::uuid[]) AND {_IS_SOURCE} AND document_id = ANY ($2::uuid[])"
        f" UNION ALL SELECT {_CONTRIBUTION} FROM contribution"
        " WHERE person_id = ANY ($1::uuid[]) AND contribution_id = ANY ($2::uuid[])",
        persons,
        ids,
    )
    return {(row[0], row[1]): _source(row) for row in rows}


_FIELDS = ", ".join(f"'{name}', coalesce(d.{name}, c.{name})" for name in _COLUMNS.split(", "))
_SOURCES_OF_RESOURCE = f"""
SELECT json_agg(json_build_object(
    'id', coalesce(w.document_id, r.source), 'found_in', r.source, 'is_document', d.document_id IS NOT NULL, {_FIELDS},
    'at', coalesce(d.deposited_at, c.began_at),
    'series_id', d.series_id, 'event_date', d.event_date, 'restricted_lines', nullif(d.restricted_lines, ''))
    ORDER BY r.since DESC, r.source DESC) AS sources
FROM {RESOURCE.name} r
LEFT JOIN document_whole w ON w.person_id = r.person_id AND w.source_id = r.source
LEFT JOIN document d ON d.person_id = r.person_id AND d.document_id = coalesce(w.document_id, r.source)
    AND d.status = 'current'
LEFT JOIN contribution c ON c.person_id = r.person_id AND c.contribution_id = r.source
WHERE r.until = 'infinity' AND (d.document_id IS NOT NULL OR c.contribution_id IS NOT NULL) AND
"""  # noqa: S608
_sources_decoder = msgspec.json.Decoder(list[Source])


async def fetch_resource_sources(
    db: Database | Connection, keys: Sequence[ResourceKey]
) -> dict[ResourceKey, list[Source]]:
    """Return the current sources of each resource, the latest first; resources without any are missing.

    Each resource gives one row, whether it exists or not: this is fetched before the decision.
    """
    if len(keys) == 1:
        of_one = f"{_SOURCES_OF_RESOURCE} r.person_id = $1 AND r.type = $2 AND r.id = $3"
        rows = [(*keys[0], await db.fetchval(of_one, *keys[0]))]
    else:
        of_each = f"{_SOURCES_OF_RESOURCE} r.person_id = k.person_id AND r.type = k.type AND r.id = k.id"
        rows = await db.fetch(
            f"SELECT person_id, type, id, ({of_each})"  # noqa: S608
            " FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS k (person_id, type, id)",
            *(list(column) for column in zip(*keys, strict=True)),
        )
    return {(person_id, type_, id_): _sources_decoder.decode(found) for person_id, type_, id_, found in rows if found}


def contribution_row(person_id: UUID, source: Source) -> Row:
    """Return the row of a contribution."""
    return CONTRIBUTION, (
        person_id,
        source.id,
        source.category,
        source.confidentiality.value,
        source.author_kind,
        source.author_id,
        source.author,
        source.organization_id,
        source.organization,
        source.at,
        last_kept_day(source.at),
    )


def opening_row(person_id: UUID, document_id: UUID, at: datetime, problem: str = "") -> Row:
    """Return the row of a document that was indexed; `problem`: the class of the error if it could not be."""
    return DOCUMENT_OPENING, (person_id, document_id, at, problem)


def _source(row: Any) -> Source:
    _, id_, is_document, category, level, author_kind, author_id, author, organization_id, organization, *rest = row
    at, series_id, event_date, restricted_lines = rest
    return Source(
        id=id_,
        is_document=is_document,
        category=category,
        confidentiality=_LEVELS[level],
        author_kind=author_kind,
        author_id=author_id,
        author=author,
        organization_id=organization_id,
        organization=organization,
        at=at,
        series_id=series_id,
        event_date=event_date,
        restricted_lines=_LEVELS.get(restricted_lines),
    )
