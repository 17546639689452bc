"""All SQL of the documents."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.storage import INLINE_LIMIT, NIL, Connection, Database, Kind, Row, Table
from esante.identity.access import ClassCount, Confidentiality, ReadFilter
from esante.services.record.model import Document, Filters, Order, Status
from esante.services.record.read_filter_store import (
    BY_COLUMNS,
    by_arrays,
    filter_columns,
    filter_values,
    readable,
    readable_by_row,
)
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
        "notified_on": "date",
        "confirmation": "text",
        "restricted_lines": "text",
    },
)
CONTENT = Table("document_content", Kind.PERSON, {"person_id": "uuid", "document_id": "uuid", "content": "bytea"})

_FIELDS = tuple(name for name in Document.__struct_fields__ if name != "is_whole")
_COLUMNS = ", ".join("document_id" if name == "id" else name for name in _FIELDS)
_LAST = UUID(int=2**128 - 1)

# Sentinels instead of "no cursor" and "no filter" keep each order at one statement, planned once.
_FILTERED = f"""
SELECT {_COLUMNS} FROM document
WHERE person_id = $1 AND ($2::text[] IS NULL OR category = ANY ($2)) AND ($3::text[] IS NULL OR type = ANY ($3))
  AND ($4::text[] IS NULL OR status = ANY ($4)) AND event_date >= $5 AND event_date <= $6
"""  # noqa: S608 - column names of the dataclass
_ORDERED = {
    Order.NEWEST: "(event_date, document_id) < ($7, $8) ORDER BY event_date DESC, document_id DESC LIMIT $9",
    Order.OLDEST: "(event_date, document_id) > ($7, $8) ORDER BY event_date, document_id LIMIT $9",
    Order.DEPOSITED: "($7::date IS NOT NULL AND document_id < $8) ORDER BY document_id DESC LIMIT $9",
}
PagePosition = tuple[date, UUID]
"""The start of a page: event date and key of the last document before it."""
FIRST: dict[Order, PagePosition] = {
    Order.NEWEST: (date.max, _LAST),
    Order.OLDEST: (date.min, NIL),
    Order.DEPOSITED: (date.max, _LAST),
}


async def fetch_page(
    db: Database,
    person_id: UUID,
    wanted: ReadFilter,
    filters: Filters,
    order: Order,
    after: PagePosition,
    limit: int,
) -> list[Document]:
    """Return up to `limit` documents of a person that match both filters, starting after a position."""
    rows = await db.fetch(
        f"{_FILTERED} AND {readable(wanted, 10)} AND {_ORDERED[order]}",
        person_id,
        list(filters.category) or None,
        list(filters.type) or None,
        list(filters.status) or None,
        filters.since or date.min,
        filters.until or date.max,
        *after,
        limit,
        *filter_values(wanted),
    )
    return [_document(row) for row in rows]


_SHOWN = {
    "soon": "notified_on IS NOT NULL AND expires_on < 'infinity'",
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


DocumentKey = tuple[UUID, UUID]
"""The keys of the person and of the document."""
# Each key gives a row, whether there is such a document or not, and none gives its bytes: what is fetched before the
# decision is the same for an absent document and for one that is not shown.
_BY_KEY = (
    f"SELECT {_COLUMNS} FROM {{}} AS k (person_id, document_id) LEFT JOIN document USING (person_id, document_id)"  # noqa: S608
)
_BY_ONE_KEY = _BY_KEY.format("(VALUES ($1::uuid, $2::uuid))")
_BY_KEYS = _BY_KEY.format("unnest($1::uuid[], $2::uuid[])")


async def find_document(db: Database | Connection, person_id: UUID, document_id: UUID) -> Document | None:
    """Return a document, or None."""
    return (await fetch_documents(db, [(person_id, document_id)])).get((person_id, document_id))


async def fetch_documents(db: Database | Connection, keys: Sequence[DocumentKey]) -> dict[DocumentKey, Document]:
    """Return the documents with these keys; those that do not exist are missing.

    A cluster has its loader ask for one key at a time, and can plan a join of tables of one person only.
    """
    if len(keys) == 1:
        rows = await db.fetch(_BY_ONE_KEY, *keys[0])
    else:
        rows = await db.fetch(_BY_KEYS, *_columns(keys))
    return {(row["person_id"], row["document_id"]): _document(row) for row in rows if row["status"] is not None}


async def fetch_contents(db: Database | Connection, keys: Sequence[DocumentKey]) -> dict[DocumentKey, bytes]:
    """Return the bytes of documents; those whose bytes the object store holds are missing."""
    if len(keys) == 1:
        content = await fetch_content(db, *keys[0])
        return {} if content is None else {keys[0]: content}
    rows = await db.fetch(
        "SELECT person_id, document_id, content FROM unnest($1::uuid[], $2::uuid[]) AS k (person_id, document_id)"
        " JOIN document_content USING (person_id, document_id)",
        *_columns(keys),
    )
    return {(row["person_id"], row["document_id"]): row["content"] for row in rows}


SeriesKey = tuple[UUID, UUID]
"""The keys of the person and of the first version of a document."""
_BY_SERIES = (
    f"SELECT {_COLUMNS}, k.person_id AS of_person, k.series_id AS of_series FROM {{}} AS k (person_id, series_id)"  # noqa: S608
    " LEFT JOIN document USING (person_id, series_id)"
)
_BY_ONE_SERIES = _BY_SERIES.format("(VALUES ($1::uuid, $2::uuid))")
_BY_MANY_SERIES = _BY_SERIES.format("unnest($1::uuid[], $2::uuid[])")


async def fetch_last_versions(db: Database | Connection, keys: Sequence[SeriesKey]) -> dict[SeriesKey, Document]:
    """Return the last version of each series; those that do not exist are missing."""
    rows = await (db.fetch(_BY_ONE_SERIES, *keys[0]) if len(keys) == 1 else db.fetch(_BY_MANY_SERIES, *_columns(keys)))
    found: dict[SeriesKey, Document] = {}
    for row in rows:
        key = row["of_person"], row["of_series"]
        if row["version"] is not None and (key not in found or found[key].version < row["version"]):
            found[key] = _document(row)
    return found


async def fetch_current(db: Database, person_id: UUID, category: str, wanted: ReadFilter) -> list[Document]:
    """Return the current documents of a category of a person that a filter includes."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM document WHERE person_id = $1 AND category = $2 AND status = 'current'"  # noqa: S608
        f" AND {readable(wanted, 3)} ORDER BY document_id",
        person_id,
        category,
        *filter_values(wanted),
    )
    return [_document(row) for row in rows]


async def fetch_content(db: Database | Connection, person_id: UUID, document_id: UUID) -> bytes | None:
    """Return the bytes of a document in the database, or None when the object store holds them."""
    content: bytes | None = await db.fetchval(
        "SELECT content FROM document_content WHERE person_id = $1 AND document_id = $2", person_id, document_id
    )
    return content


SameBytesKey = tuple[UUID, bytes, ReadFilter]
"""A person, a SHA-256, and who asks."""


# In the inner query `confidentiality` is that of the lines, so that the filter decides on them.
_SEES_LINES = f"EXISTS (SELECT FROM (SELECT restricted_lines AS confidentiality) AS lines WHERE {readable_by_row()})"
_OF_DOCUMENT = ", ".join(f"document.{name}" for name in _COLUMNS.split(", "))
_SAME_BYTES = f"""
WITH k AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::bytea[], {by_arrays(3)})
    WITH ORDINALITY AS k (person_id, digest, {BY_COLUMNS}, place))
SELECT {_OF_DOCUMENT}, place FROM k JOIN document USING (person_id)
WHERE sha256 = digest AND status = 'current' AND restricted_lines = '' AND {readable_by_row()}
UNION ALL
SELECT {_OF_DOCUMENT}, place FROM k JOIN document USING (person_id)
WHERE sha256 = digest AND status = 'current' AND restricted_lines <> '' AND {readable_by_row()} AND NOT {_SEES_LINES}
UNION ALL
SELECT {_OF_DOCUMENT}, place
FROM k JOIN document_whole w USING (person_id) JOIN document USING (person_id, document_id)
WHERE w.sha256 = digest AND status = 'current' AND {readable_by_row()} AND {_SEES_LINES}
ORDER BY document_id
"""  # noqa: S608 - column names of the dataclass


async def find_same_bytes(db: Database, keys: Sequence[SameBytesKey]) -> dict[SameBytesKey, list[Document]]:
    """Return the current documents with the same bytes that those who ask may read.

    Of a document with restricted lines, these are the bytes that they would be given.
    """
    persons, digests, filters = zip(*keys, strict=True)
    rows = await db.fetch(
        _SAME_BYTES,
        persons,
        digests,
        *filter_columns(filters),
    )
    found: dict[SameBytesKey, list[Document]] = {}
    for row in rows:
        found.setdefault(keys[row["place"] - 1], []).append(_document(row))
    return found


_VERSIONS = f"SELECT {_COLUMNS} FROM document WHERE person_id = $1 AND series_id = $2"  # noqa: S608


async def fetch_versions(db: Database | Connection, person_id: UUID, series_id: UUID) -> list[Document]:
    """Return all documents of a series, the newest version first."""
    return [_document(row) for row in await db.fetch(f"{_VERSIONS} ORDER BY version DESC", person_id, series_id)]


async def count_by_category(conn: Connection, persons: Sequence[UUID]) -> dict[str, ClassCount]:
    """Return the current documents of some persons, and of how many of these they are, by category.

    What clinical resources come from that were created directly counts like a document.
    """
    rows = await conn.fetch(
        """
        SELECT category, count(*) AS documents, count(DISTINCT person_id) AS persons FROM (
            SELECT person_id, category FROM document WHERE person_id = ANY($1) AND status = 'current'
            UNION ALL SELECT person_id, category FROM contribution WHERE person_id = ANY($1)) AS found
        GROUP BY category
        """,
        list(persons),
    )
    return {row["category"]: ClassCount(row["documents"], row["persons"]) for row in rows}


async def fetch_readable_versions(
    db: Database, person_id: UUID, series_id: UUID, wanted: ReadFilter
) -> list[Document]:
    """Return the documents of a series that a filter includes, the newest version first."""
    sql = f"{_VERSIONS} AND {readable(wanted, 3)} ORDER BY version DESC"
    return [_document(row) for row in await db.fetch(sql, person_id, series_id, *filter_values(wanted))]


async def lock_series(conn: Connection, person_id: UUID, series_id: UUID) -> list[Document]:
    """Lock all versions of a series, and return them, the newest first.

    They are read after the lock was granted, so that none is missed. Any may be gone, at the end of its retention.
    """
    sql = "SELECT FROM document WHERE person_id = $1 AND series_id = $2 ORDER BY document_id FOR UPDATE"
    await conn.execute(sql, person_id, series_id)
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
        "restricted_lines": document.restricted_lines.value if document.restricted_lines else "",
    }
    rows: list[Row] = [(DOCUMENT, tuple(values[column] for column in DOCUMENT.columns))]
    if content is not None and len(content) <= INLINE_LIMIT:
        rows.append((CONTENT, (document.person_id, document.id, content)))
    return rows


def _columns(keys: Sequence[DocumentKey]) -> tuple[list[UUID], list[UUID]]:
    return [person_id for person_id, _ in keys], [document_id for _, document_id in keys]


_STATUSES = {status.value: status for status in Status}
_LEVELS = {level.value: level for level in Confidentiality}


def _document(row: Any) -> Document:
    """Return the document of a row whose first columns are `_COLUMNS`, in their order."""
    values = dict(zip(_FIELDS, row, strict=False))
    values["status"] = _STATUSES[values["status"]]
    values["confidentiality"] = _LEVELS[values["confidentiality"]]
    values["restricted_lines"] = _LEVELS.get(values["restricted_lines"])
    values["findings"] = tuple(values["findings"].split())
    identifiers = values["identifiers"]
    values["identifiers"] = (
        () if identifiers == "[]" else tuple((system, value) for system, value in orjson.loads(identifiers))
    )
    return Document(**values)
