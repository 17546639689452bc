"""The SQL of restricted lines: documents as they were deposited, beside what others are given of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from esante.core.storage import INLINE_LIMIT, Connection, Database, Kind, Row, Table
from esante.services.record.documents.store import DocumentKey
from esante.services.record.indexing.sources import whole_source
from esante.services.record.model import Document

WHOLE = Table(
    "document_whole",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "document_id": "uuid",
        "source_id": "uuid",
        "size": "integer",
        "sha256": "bytea",
        "sha1": "bytea",
        "content": "bytea",
        "tokens": "text",
        "restricted_at": "timestamptz",
    },
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A document as it was deposited, without its bytes, and the tokens of its restricted lines."""

    size: int
    sha256: bytes
    sha1: bytes
    tokens: tuple[str, ...]
    restricted_at: datetime

    def shown(self, document: Document) -> Document:
        """Return a document as who may see the restricted lines sees it."""
        return replace(document, size=self.size, sha256=self.sha256, sha1=self.sha1, is_whole=True)


async def fetch_wholes(db: Database | Connection, keys: Sequence[DocumentKey]) -> dict[DocumentKey, Whole]:
    """Return the documents with these keys as they were deposited; those without restricted lines are missing."""
    rows = await db.fetch(
        "SELECT person_id, document_id, size, sha256, sha1, tokens, restricted_at FROM document_whole"
        " WHERE person_id = ANY ($1::uuid[]) AND document_id = ANY ($2::uuid[])",
        [person_id for person_id, _ in keys],
        [document_id for _, document_id in keys],
    )
    return {
        (row[0], row[1]): Whole(row["size"], row["sha256"], row["sha1"], tuple(row["tokens"].split()), row[6])
        for row in rows
    }


async def fetch_whole_content(db: Database | Connection, person_id: UUID, document_id: UUID) -> bytes | None:
    """Return the bytes of a document as deposited, or None when the object store holds them."""
    content: bytes | None = await db.fetchval(
        "SELECT content FROM document_whole WHERE person_id = $1 AND document_id = $2", person_id, document_id
    )
    return content


async def fetch_source_ids(conn: Connection, person_id: UUID, documents: Collection[UUID]) -> list[UUID]:
    """Return the sources of the whole resources of those documents that have restricted lines."""
    rows = await conn.fetch(
        "SELECT source_id FROM document_whole WHERE person_id = $1 AND document_id = ANY ($2::uuid[])",
        person_id,
        list(documents),
    )
    return [row["source_id"] for row in rows]


async def find_document_of(db: Database | Connection, person_id: UUID, source: UUID) -> UUID:
    """Return the document that a source is, or whose whole resources have this source."""
    found: UUID | None = await db.fetchval(
        "SELECT document_id FROM document_whole WHERE person_id = $1 AND source_id = $2", person_id, source
    )
    return found or source


async def fetch_restricted(db: Database | Connection, person_id: UUID) -> list[UUID]:
    """Return the newest version of each document of a person of which lines are restricted, the latest first."""
    rows = await db.fetch(
        "SELECT d.document_id FROM document_whole w JOIN document d USING (person_id, document_id)"
        " WHERE person_id = $1 AND NOT misfiled AND NOT EXISTS (SELECT FROM document n"
        "  WHERE n.person_id = $1 AND n.series_id = d.series_id AND n.version > d.version)"
        " ORDER BY restricted_at DESC, document_id",
        person_id,
    )
    return [row["document_id"] for row in rows]


def whole_row(document: Document, content: bytes, tokens: Collection[str], at: datetime) -> Row:
    """Return the row of a document as it was deposited."""
    inline = content if len(content) <= INLINE_LIMIT else None
    source = whole_source(document.id)
    digests = document.size, document.sha256, document.sha1
    return WHOLE, (document.person_id, document.id, source, *digests, inline, " ".join(sorted(tokens)), at)


async def set_content(conn: Connection, shown: Document, content: bytes) -> None:
    """Write what others are given of a document: its size, its digests and its bytes."""
    key = shown.person_id, shown.id
    await conn.execute(
        "UPDATE document SET size = $3, sha256 = $4, sha1 = $5, restricted_lines = $6"
        " WHERE person_id = $1 AND document_id = $2",
        *key,
        shown.size,
        shown.sha256,
        shown.sha1,
        shown.restricted_lines.value if shown.restricted_lines else "",
    )
    await conn.execute("DELETE FROM document_content WHERE person_id = $1 AND document_id = $2", *key)
    if len(content) <= INLINE_LIMIT:
        await conn.execute(
            "INSERT INTO document_content (person_id, document_id, content) VALUES ($1, $2, $3)", *key, content
        )


async def delete_whole(conn: Connection, person_id: UUID, document_id: UUID) -> None:
    """Delete a document as it was deposited, which others are given again."""
    await conn.execute("DELETE FROM document_whole WHERE person_id = $1 AND document_id = $2", person_id, document_id)


async def mark_indexed(conn: Connection, document: Document, at: datetime, *, even_if_not: bool) -> bool:
    """Return whether the resources of a document are indexed; with `even_if_not` they count as indexed from now on.

    Whoever indexes it at the same moment has finished after this, or fails and writes nothing.
    """
    if even_if_not:
        await conn.execute(
            "INSERT INTO document_opening (person_id, document_id, opened_at, problem) VALUES ($1, $2, $3, '')"
            " ON CONFLICT DO NOTHING",
            document.person_id,
            document.id,
            at,
        )
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT FROM document_opening WHERE person_id = $1 AND document_id = $2)",
            document.person_id,
            document.id,
        )
    )
