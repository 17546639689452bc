"""SQL of the sources of clinical resources, and of which documents are indexed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access import Confidentiality
from esante.services.record.indexing.sources import PersonSources, Source, UnindexedDocument
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

_COLUMNS = "category, confidentiality, author_kind, author_id, author, organization_id, organization"
_IS_SOURCE = "person_id = ANY ($1::uuid[]) AND status = 'current' AND media_type = 'application/fhir+json'"
_IS_UNINDEXED = (
    "NOT EXISTS (SELECT FROM document_opening o WHERE o.person_id = d.person_id AND o.document_id = d.document_id)"
)
_DOCUMENTS = f"SELECT person_id, document_id, true, {_COLUMNS}, deposited_at FROM document WHERE {_IS_SOURCE}"  # noqa: S608
_CONTRIBUTIONS = (
    f"SELECT person_id, contribution_id, false, {_COLUMNS}, began_at FROM contribution"  # noqa: S608
    " WHERE person_id = ANY ($1::uuid[])"
)
_OF_PERSONS = (
    f"SELECT person_id, document_id, true, {_COLUMNS}, deposited_at, CASE WHEN {_IS_UNINDEXED} THEN sha256 END"  # noqa: S608
    f" FROM document d WHERE {_IS_SOURCE} UNION ALL"
    f" SELECT person_id, contribution_id, false, {_COLUMNS}, began_at, NULL FROM contribution"
    " WHERE person_id = ANY ($1::uuid[])"
)
_LEVELS = {level.value: level for level in Confidentiality}


async def fetch_person_sources(db: Database | Connection, persons: Sequence[UUID]) -> dict[UUID, PersonSources]:
    """Return the sources of each person of `persons`; persons without any are missing."""
    by_person: dict[UUID, PersonSources] = {}
    for *columns, sha256 in await db.fetch(_OF_PERSONS, list(persons)):
        person_id = columns[0]
        if (sources := by_person.get(person_id)) is None:
            sources = by_person[person_id] = PersonSources()
        source = _source(columns)
        sources.all.append(source)
        if sha256 is not None:
            sources.unindexed.append(UnindexedDocument(source.id, source.at, sha256))
    return by_person


async def fetch_sources(db: Database, keys: Sequence[SourceKey]) -> dict[SourceKey, Source]:
    """Return sources by key; documents that are not current are missing."""
    persons, ids = [person for person, _ in keys], [id_ for _, id_ in keys]
    rows = await db.fetch(
        f"{_DOCUMENTS} AND document_id = ANY ($2::uuid[])"
        f" UNION ALL {_CONTRIBUTIONS} AND contribution_id = ANY ($2::uuid[])",
        persons,
        ids,
    )
    return {(row[0], row[1]): _source(row) for row in rows}


async def fetch_unindexed(db: Database, persons: Sequence[UUID]) -> dict[UUID, list[UnindexedDocument]]:
    """Return the current FHIR documents of persons that are not indexed yet; persons without any are missing."""
    rows = await db.fetch(
        "SELECT person_id, document_id, deposited_at, sha256 FROM document d"  # noqa: S608
        f" WHERE {_IS_SOURCE} AND {_IS_UNINDEXED}",
        list(persons),
    )
    by_person: dict[UUID, list[UnindexedDocument]] = {}
    for person_id, *document in rows:
        by_person.setdefault(person_id, []).append(UnindexedDocument(*document))
    return by_person


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
    _, id_, is_document, category, level, author_kind, author_id, author, organization_id, organization, at = row
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
    )
