"""All SQL of the documents."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.storage import INLINE_LIMIT, NIL, Connection, Database, Kind, Row, Table
from esante.identity.access import Confidentiality
from esante.services.record.model import Document, Filters, Order, Status
from esante.services.record.retention.rules import last_kept_day

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
        "expires_on": "date",
        "told_on": "date",
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
PagePosition = tuple[date, UUID]
"""The start of a page: event date and key of the last document before it."""
FIRST: dict[Order, PagePosition] = {
    Order.NEWEST: (date.max, _LAST),
    Order.OLDEST: (date.min, NIL),
    Order.DEPOSITED: (date.max, _LAST),
}


async def fetch_page(
    db: Database, person_id: UUID, filters: Filters, order: Order, after: PagePosition, limit: int
) -> list[Document]:
    """Return up to `limit` documents of a person that match the coded filters, starting after a position."""
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


_SHOWN = {
    "soon": "told_on IS NOT NULL AND expires_on < 'infinity'",
    "life": "expires_on = 'infinity'",
    "all": "expires_on IS NOT NULL",
}


async def fetch_by_expiry(
    db: Database, person_id: UUID, shown: str, after: PagePosition | None, limit: int
) -> list[Document]:
    """Return documents of a person, the one that ends first first, after a position (its last day and key).

    `shown`: soon (they were told of the end), life (kept for as long as the record is open) or all.
    """
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM document WHERE person_id = $1 AND {_SHOWN[shown]}"  # noqa: S608 - constants
        " AND ($2::date IS NULL OR (expires_on, document_id) > ($2, $3::uuid))"
        " ORDER BY expires_on, document_id LIMIT $4",
        person_id,
        *(after or (None, None)),
        limit,
    )
    return [_document(row) for row in rows]


async def find_document(db: Database | Connection, person_id: UUID, document_id: UUID) -> Document | None:
    """Return a document, or None."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM document WHERE person_id = $1 AND document_id = $2",  # noqa: S608
        person_id,
        document_id,
    )
    return _document(row) if row else None


DocumentKey = tuple[UUID, UUID]
"""The keys of the person and of the document."""


async def fetch_documents(conn: Connection, keys: Sequence[DocumentKey]) -> dict[DocumentKey, Document]:
    """Return the documents with these keys; those that do not exist are missing."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::uuid[]) AS k (person_id, document_id)"  # noqa: S608
        " JOIN document USING (person_id, document_id)",
        [person_id for person_id, _ in keys],
        [document_id for _, document_id in keys],
    )
    return {(row["person_id"], row["document_id"]): _document(row) for row in rows}


_WITH_CONTENT = f"""
SELECT {", ".join(f"d.{column}" for column in _COLUMNS.split(", "))}, c.content
FROM document d LEFT JOIN document_content c ON c.person_id = d.person_id AND c.document_id = d.document_id
"""  # noqa: S608 - column names of the dataclass
_ONE_WITH_CONTENT = f"{_WITH_CONTENT} WHERE d.person_id = $1 AND d.document_id = $2"
_SOME_WITH_CONTENT = (
    f"{_WITH_CONTENT} JOIN unnest($1::uuid[], $2::uuid[]) AS k (person_id, document_id)"
    " ON d.person_id = k.person_id AND d.document_id = k.document_id"
)


async def fetch_with_content(
    db: Database, keys: Sequence[DocumentKey]
) -> dict[DocumentKey, tuple[Document, bytes | None]]:
    """Return documents with their bytes, which are None where the object store holds them.

    A cluster has its loader ask for one key at a time, and can plan a join of tables of one person only.
    """
    if len(keys) == 1:
        rows = await db.fetch(_ONE_WITH_CONTENT, *keys[0])
    else:
        columns = [person_id for person_id, _ in keys], [document_id for _, document_id in keys]
        rows = await db.fetch(_SOME_WITH_CONTENT, *columns)
    return {(row["person_id"], row["document_id"]): (_document(row), row["content"]) for row in rows}


async def fetch_content(db: Database | Connection, person_id: UUID, document_id: UUID) -> bytes | None:
    """Return the bytes of a document in the database, or None when the object store holds them."""
    content: bytes | None = await db.fetchval(
        "SELECT content FROM document_content WHERE person_id = $1 AND document_id = $2", person_id, document_id
    )
    return content


async def find_same_bytes(
    db: Database, keys: Sequence[tuple[UUID, bytes]]
) -> dict[tuple[UUID, bytes], list[Document]]:
    """Return the current documents with the same bytes, by person and SHA-256."""
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


async def fetch_versions(db: Database | Connection, person_id: UUID, series_id: UUID) -> list[Document]:
    """Return all documents of a series, the newest version first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM document WHERE person_id = $1 AND series_id = $2 ORDER BY version DESC",  # noqa: S608
        person_id,
        series_id,
    )
    return [_document(row) for row in rows]


async def lock_series(conn: Connection, person_id: UUID, document_id: UUID) -> list[Document]:
    """Lock the versions of a document's series, and return them, the newest first; [] when there is no document."""
    document = await find_document(conn, person_id, document_id)
    return await lock_versions(conn, person_id, document.series_id) if document else []


async def lock_versions(conn: Connection, person_id: UUID, series_id: UUID) -> list[Document]:
    """Lock all versions of a series, and return them, the newest first.

    They are read after the lock was granted, so that none is missed. Any may be gone, at the end of its retention.
    """
    await conn.execute(
        "SELECT FROM document WHERE person_id = $1 AND series_id = $2 ORDER BY document_id FOR UPDATE",
        person_id,
        series_id,
    )
    return await fetch_versions(conn, person_id, series_id)


async def set_status(
    conn: Connection, documents: Iterable[Document], status: Status, *, reason: str = "", misfiled: bool = False
) -> None:
    """Set the status of documents of one person; there must be at least one."""
    chosen = list(documents)
    await conn.execute(
        "UPDATE document SET status = $3, withdrawn_reason = $4, misfiled = $5, changed_at = $6"
        " WHERE person_id = $1 AND document_id = ANY ($2::uuid[])",
        chosen[0].person_id,
        [document.id for document in chosen],
        status.value,
        reason,
        misfiled,
        clock.now(),
    )


async def set_confidentiality(conn: Connection, person_id: UUID, series_id: UUID, level: Confidentiality) -> None:
    """Set the confidentiality of all versions of a series."""
    await conn.execute(
        "UPDATE document SET confidentiality = $3, changed_at = $4 WHERE person_id = $1 AND series_id = $2",
        person_id,
        series_id,
        level.value,
        clock.now(),
    )


def document_rows(document: Document, content: bytes | None) -> list[Row]:
    """Return the rows of a new document; bytes over `INLINE_LIMIT` (or None) are in the object store already."""
    values = {name: getattr(document, name) for name in _FIELDS}
    values |= {
        "document_id": document.id,
        "depositor_id": document.depositor_id,
        "status": document.status.value,
        "confidentiality": document.confidentiality.value,
        "findings": " ".join(document.findings),
        "identifiers": orjson.dumps(document.identifiers).decode(),
        "expires_on": document.expires_on or last_kept_day(document.deposited_at),
    }
    rows: list[Row] = [(DOCUMENT, tuple(values[column] for column in DOCUMENT.columns))]
    if content is not None and len(content) <= INLINE_LIMIT:
        rows.append((CONTENT, (document.person_id, document.id, content)))
    return rows


_STATUSES = {status.value: status for status in Status}
_LEVELS = {level.value: level for level in Confidentiality}


def _document(row: Any) -> Document:
    """Return the document of a row whose first columns are `_COLUMNS`, in their order."""
    values = dict(zip(_FIELDS, row, strict=False))
    values["status"] = _STATUSES[values["status"]]
    values["confidentiality"] = _LEVELS[values["confidentiality"]]
    values["findings"] = tuple(values["findings"].split())
    identifiers = values["identifiers"]
    values["identifiers"] = (
        () if identifiers == "[]" else tuple((system, value) for system, value in orjson.loads(identifiers))
    )
    return Document(**values)
