"""Where clinical resources come from: documents that were opened, and contributions of who created them directly.

Access is decided on the source: who may not see it, finds nothing of what comes from it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import structs

from esante.core.storage import Connection, Database, Kind, Row, Table, uuid8
from esante.identity.access import Confidentiality, Requester

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
    },
    once=True,
)
OPENING = Table(
    "document_opening",
    Kind.PERSON,
    {"person_id": "uuid", "document_id": "uuid", "opened_at": "timestamptz", "problem": "text"},
)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What the access decision must know of a source, and who is behind it; `at`: since when it is there."""

    id: UUID
    is_document: bool
    category: str
    confidentiality: Confidentiality
    author_kind: str
    author_id: UUID
    author: str
    organization_id: UUID | None
    organization: str
    at: datetime

    misfiled: ClassVar[bool] = False
    """Never: a document filed under the wrong patient is withdrawn, and so no source any more."""


def contribution(requester: Requester, category: str, confidentiality: Confidentiality, at: datetime) -> Source:
    """The source of what a requester creates in a category."""
    is_organization = requester.kind == "organization"
    organization_id = requester.id if is_organization else requester.organization_id
    return Source(
        id=_key(requester.kind, requester.id, organization_id, category, confidentiality),
        is_document=False,
        category=category,
        confidentiality=confidentiality,
        author_kind=requester.kind,
        author_id=requester.id,
        author=requester.name,
        organization_id=organization_id,
        organization=requester.name if is_organization else requester.organization,
        at=at,
    )


def alike(source: Source, category: str, confidentiality: Confidentiality) -> Source:
    """The contribution of the same author in another category, or that goes less or more far."""
    key = _key(source.author_kind, source.author_id, source.organization_id, category, confidentiality)
    return structs.replace(source, id=key, category=category, confidentiality=confidentiality)


@lru_cache(4096)
def _key(
    author_kind: str, author_id: UUID, organization_id: UUID | None, category: str, confidentiality: Confidentiality
) -> UUID:
    name = f"{author_kind} {author_id} {organization_id} {category} {confidentiality}"
    return uuid8(hashlib.blake2b(name.encode(), digest_size=16).digest())


def contribution_row(person_id: UUID, source: Source) -> Row:
    """The row of a contribution."""
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
    )


def opening_row(person_id: UUID, document_id: UUID, at: datetime, problem: str = "") -> Row:
    """The row that says that a document was opened, or why it could not be."""
    return OPENING, (person_id, document_id, at, problem)


_COLUMNS = "category, confidentiality, author_kind, author_id, author, organization_id, organization"
_IS_SOURCE = "person_id = ANY ($1::uuid[]) AND status = 'current' AND media_type = 'application/fhir+json'"
_IS_UNOPENED = (
    "NOT EXISTS (SELECT FROM document_opening o WHERE o.person_id = d.person_id AND o.document_id = d.document_id)"
)
_DOCUMENTS = f"SELECT person_id, document_id, true, {_COLUMNS}, deposited_at FROM document WHERE {_IS_SOURCE}"  # noqa: S608
_CONTRIBUTIONS = (
    f"SELECT person_id, contribution_id, false, {_COLUMNS}, began_at FROM contribution"  # noqa: S608
    " WHERE person_id = ANY ($1::uuid[])"
)
_OF_PERSONS = (
    f"SELECT person_id, document_id, true, {_COLUMNS}, deposited_at, CASE WHEN {_IS_UNOPENED} THEN sha256 END"  # noqa: S608
    f" FROM document d WHERE {_IS_SOURCE} UNION ALL"
    f" SELECT person_id, contribution_id, false, {_COLUMNS}, began_at, NULL FROM contribution"
    " WHERE person_id = ANY ($1::uuid[])"
)


@dataclass(slots=True)
class Sources:
    """All sources of a person: the current FHIR documents and what was contributed; and what is to be opened first."""

    all: list[Source] = field(default_factory=list)
    unopened: list["Unopened"] = field(default_factory=list)


async def of_persons(db: Database | Connection, persons: Sequence[UUID]) -> dict[UUID, Sources]:
    """The sources of those of `persons` who have some."""
    found: dict[UUID, Sources] = {}
    for *columns, sha256 in await db.fetch(_OF_PERSONS, list(persons)):
        person_id = columns[0]
        if (hers := found.get(person_id)) is None:
            hers = found[person_id] = Sources()
        source = _source(columns)
        hers.all.append(source)
        if sha256 is not None:
            hers.unopened.append(Unopened(source.id, source.at, sha256))
    return found


Key = tuple[UUID, UUID]
"""Person and source, or person and document."""


async def of_keys(db: Database, keys: Sequence[Key]) -> dict[Key, Source]:
    """Sources by key; documents that are not current are missing."""
    persons, ids = [person for person, _ in keys], [id_ for _, id_ in keys]
    rows = await db.fetch(
        f"{_DOCUMENTS} AND document_id = ANY ($2::uuid[])"
        f" UNION ALL {_CONTRIBUTIONS} AND contribution_id = ANY ($2::uuid[])",
        persons,
        ids,
    )
    return {(row[0], row[1]): _source(row) for row in rows}


_LEVELS = {level.value: level for level in Confidentiality}


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


@dataclass(frozen=True, slots=True)
class Unopened:
    """A document to be opened."""

    id: UUID
    deposited_at: datetime
    sha256: bytes


async def unopened(db: Database, persons: Sequence[UUID]) -> dict[UUID, list[Unopened]]:
    """The current FHIR documents of persons that were not opened yet."""
    rows = await db.fetch(
        "SELECT person_id, document_id, deposited_at, sha256 FROM document d"  # noqa: S608
        f" WHERE {_IS_SOURCE} AND {_IS_UNOPENED}",
        list(persons),
    )
    found: dict[UUID, list[Unopened]] = {}
    for person_id, *document in rows:
        found.setdefault(person_id, []).append(Unopened(*document))
    return found
