"""All SQL of the record."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import INLINE_LIMIT, NIL, Connection, Database, Kind, Row, Table
from esante.identity.access import Confidentiality
from esante.services.record.model import Document, Filters, Order, Status

DOCUMENT = Table(
    "document",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "document_id": "uuid",
        "series_id": "uuid",
        "replaces": "uuid",
        "version": "integer",
        "status": "text",
        "category": "text",
        "type": "text",
        "title": "text",
        "language": "text",
        "event_date": "date",
        "deposited_at": "timestamptz",
        "changed_at": "timestamptz",
        "author_kind": "text",
        "author_id": "uuid",
        "author": "text",
        "organization_id": "uuid",
        "organization": "text",
        "depositor_id": "uuid",
        "media_type": "text",
        "format": "text",
        "size": "integer",
        "sha256": "bytea",
        "sha1": "bytea",
        "confidentiality": "text",
        "submission_id": "uuid",
        "withdrawn_reason": "text",
        "misfiled": "boolean",
        "findings": "text",
        "identifiers": "jsonb",
    },
)
CONTENT = Table("document_content", Kind.PERSON, {"person_id": "uuid", "document_id": "uuid", "content": "bytea"})

_FIELDS = Document.__struct_fields__
_COLUMNS = ", ".join("document_id" if name == "id" else name for name in _FIELDS)
_LAST = UUID(int=2**128 - 1)

# Sentinels instead of "no cursor" and "no filter" keep each order at one statement, planned once.
_FILTERED = f"""
SELECT {_COLUMNS} FROM document
WHERE person_id = $1 AND ($2::text[] IS NULL OR category = ANY ($2)) AND ($3::text[] IS NULL OR type = ANY ($3))
  AND ($4::text[] IS NULL OR status = ANY ($4)) AND event_date >= $5 AND event_date <= $6
"""  # noqa: S608 - column names of the dataclass
_PAGE = {
    Order.NEWEST: f"{_FILTERED} AND (event_date, document_id) < ($7, $8)"
    " ORDER BY event_date DESC, document_id DESC LIMIT $9",
    Order.OLDEST: f"{_FILTERED} AND (event_date, document_id) > ($7, $8) ORDER BY event_date, document_id LIMIT $9",
    Order.DEPOSITED: f"{_FILTERED} AND ($7::date IS NOT NULL AND document_id < $8) ORDER BY document_id DESC LIMIT $9",
}
Place = tuple[date, UUID]
"""Where a page begins: event date and key of the last document before it."""
FIRST: dict[Order, Place] = {
    Order.NEWEST: (date.max, _LAST),
    Order.OLDEST: (date.min, NIL),
    Order.DEPOSITED: (date.max, _LAST),
}


async def page(
    db: Database, person_id: UUID, filters: Filters, order: Order, after: Place, limit: int
) -> list[Document]:
    """Up to `limit` documents of a person that match the coded filters, beginning after a place."""
    rows = await db.fetch(
        _PAGE[order],
        person_id,
        list(filters.category) or None,
        list(filters.type) or None,
        list(filters.status) or None,
        filters.since or date.min,
        filters.until or date.max,
        *after,
        limit,
    )
    return [_document(row) for row in rows]


async def find(db: Database | Connection, person_id: UUID, document_id: UUID) -> Document | None:
    """A document, or None."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM document WHERE person_id = $1 AND document_id = $2",  # noqa: S608
        person_id,
        document_id,
    )
    return _document(row) if row else None


Key = tuple[UUID, UUID]
"""Person and document."""


async def of_keys(conn: Connection, keys: Sequence[Key]) -> dict[Key, Document]:
    """Documents; those that are not there are missing."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::uuid[]) AS k (person_id, document_id)"  # noqa: S608
        " JOIN document USING (person_id, document_id)",
        [person_id for person_id, _ in keys],
        [document_id for _, document_id in keys],
    )
    return {(row["person_id"], row["document_id"]): _document(row) for row in rows}


async def with_content(db: Database, keys: Sequence[Key]) -> dict[Key, tuple[Document, bytes | None]]:
    """Documents with their bytes, which are None where they lie in the object store."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS}, content FROM unnest($1::uuid[], $2::uuid[]) AS k (person_id, document_id)"  # noqa: S608
        " JOIN document USING (person_id, document_id) LEFT JOIN document_content USING (person_id, document_id)",
        [person_id for person_id, _ in keys],
        [document_id for _, document_id in keys],
    )
    return {(row["person_id"], row["document_id"]): (_document(row), row["content"]) for row in rows}


async def content_of(db: Database | Connection, person_id: UUID, document_id: UUID) -> bytes | None:
    """The bytes of a document that lie in the database, or None when they lie in the object store."""
    content: bytes | None = await db.fetchval(
        "SELECT content FROM document_content WHERE person_id = $1 AND document_id = $2", person_id, document_id
    )
    return content


async def same_bytes(db: Database, keys: Sequence[tuple[UUID, bytes]]) -> dict[tuple[UUID, bytes], list[Document]]:
    """The current documents with the same bytes, by person and SHA-256."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::bytea[]) AS k (person_id, sha256)"  # noqa: S608
        " JOIN document USING (person_id, sha256) WHERE status = 'current' ORDER BY document_id",
        [person_id for person_id, _ in keys],
        [digest for _, digest in keys],
    )
    found: dict[tuple[UUID, bytes], list[Document]] = {}
    for row in rows:
        found.setdefault((row["person_id"], row["sha256"]), []).append(_document(row))
    return found


async def versions(db: Database | Connection, person_id: UUID, series_id: UUID) -> list[Document]:
    """All documents of a series, the newest version first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM document WHERE person_id = $1 AND series_id = $2 ORDER BY version DESC",  # noqa: S608
        person_id,
        series_id,
    )
    return [_document(row) for row in rows]


async def lock_series(conn: Connection, person_id: UUID, document_id: UUID) -> list[Document]:
    """Lock a document's series through its first version, then read it: what follows sees all versions."""
    await conn.execute(
        "SELECT FROM document WHERE person_id = $1 AND document_id ="
        " (SELECT series_id FROM document WHERE person_id = $1 AND document_id = $2) FOR UPDATE",
        person_id,
        document_id,
    )
    found = await find(conn, person_id, document_id)
    return await versions(conn, person_id, found.series_id) if found else []


async def set_status(
    conn: Connection, documents: Iterable[Document], status: Status, *, reason: str = "", misfiled: bool = False
) -> None:
    """Change the status of documents of one person."""
    chosen = list(documents)
    await conn.execute(
        "UPDATE document SET status = $3, withdrawn_reason = $4, misfiled = $5, changed_at = $6"
        " WHERE person_id = $1 AND document_id = ANY ($2::uuid[])",
        chosen[0].person_id,
        [document.id for document in chosen],
        status.value,
        reason,
        misfiled,
        datetime.now(UTC),
    )


async def set_confidentiality(conn: Connection, person_id: UUID, series_id: UUID, level: Confidentiality) -> None:
    """Set the confidentiality of all versions of a series."""
    await conn.execute(
        "UPDATE document SET confidentiality = $3, changed_at = $4 WHERE person_id = $1 AND series_id = $2",
        person_id,
        series_id,
        level.value,
        datetime.now(UTC),
    )


def rows_of(document: Document, content: bytes | None) -> list[Row]:
    """The rows that keep a new document; bytes over the limit (or None) are in the object store already."""
    values = {name: getattr(document, name) for name in _FIELDS}
    values |= {
        "document_id": document.id,
        "depositor_id": document.depositor_id,
        "status": document.status.value,
        "confidentiality": document.confidentiality.value,
        "findings": " ".join(document.findings),
        "identifiers": orjson.dumps(document.identifiers).decode(),
    }
    rows: list[Row] = [(DOCUMENT, tuple(values[column] for column in DOCUMENT.columns))]
    if content is not None and len(content) <= INLINE_LIMIT:
        rows.append((CONTENT, (document.person_id, document.id, content)))
    return rows


_STATUSES = {status.value: status for status in Status}
_LEVELS = {level.value: level for level in Confidentiality}


def _document(row: Any) -> Document:
    """A row with the columns `_COLUMNS` first, in their order."""
    values = dict(zip(_FIELDS, row, strict=False))
    values["status"] = _STATUSES[values["status"]]
    values["confidentiality"] = _LEVELS[values["confidentiality"]]
    values["findings"] = tuple(values["findings"].split())
    identifiers = values["identifiers"]
    values["identifiers"] = () if identifiers == "[]" else tuple((s, v) for s, v in orjson.loads(identifiers))
    return Document(**values)
