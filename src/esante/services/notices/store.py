"""The SQL of notices."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.contract import NoticeKind
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.notices.model import Notice

NOTICE = Table(
    "notice",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "notice_id": "uuid",
        "at": "timestamptz",
        "kind": "text",
        "actor": "text",
        "categories": "text",
        "document_id": "uuid",
    },
)


def row(notice: Notice) -> Row:
    """Return the row of a new notice."""
    return (
        NOTICE,
        (
            notice.person_id,
            notice.id,
            notice.at,
            notice.kind.name,
            notice.actor,
            " ".join(notice.categories),
            notice.document_id,
        ),
    )


async def page(
    db: Database, person_id: UUID, before: UUID | None, limit: int, kinds: Mapping[str, NoticeKind]
) -> list[Notice]:
    """Return a person's notices of the known `kinds`, newest first, older than `before`."""
    rows = await db.fetch(
        """
        SELECT * FROM notice WHERE person_id = $1 AND ($2::uuid IS NULL OR notice_id < $2) AND kind = ANY($4)
        ORDER BY notice_id DESC LIMIT $3
        """,
        person_id,
        before,
        limit,
        [*kinds],
    )
    return [_notice(row, kinds) for row in rows]


async def unread(
    db: Database, person_id: UUID, first: list[str], limit: int, kinds: Mapping[str, NoticeKind]
) -> list[Notice]:
    """Return a person's unread notices: those of the kinds `first`, then the others; each newest first."""
    rows = await db.fetch(
        """
        SELECT * FROM notice WHERE person_id = $1 AND read_at IS NULL AND kind = ANY($4)
        ORDER BY kind = ANY($2) DESC, notice_id DESC LIMIT $3
        """,
        person_id,
        first,
        limit,
        [*kinds],
    )
    return [_notice(row, kinds) for row in rows]


async def count_unread(db: Database, person_id: UUID, kinds: list[str], most: int) -> int:
    """Return how many notices of the known `kinds` a person has not read, counting no further than `most`."""
    count: int = await db.fetchval(
        """
        SELECT count(*) FROM (
            SELECT FROM notice WHERE person_id = $1 AND read_at IS NULL AND kind = ANY($2) LIMIT $3) AS unread
        """,
        person_id,
        kinds,
        most,
    )
    return count


async def find(db: Database, person_id: UUID, notice_id: UUID, kinds: Mapping[str, NoticeKind]) -> Notice | None:
    """Return a person's notice by its id, or None."""
    row = await db.fetchrow(
        "SELECT * FROM notice WHERE person_id = $1 AND notice_id = $2 AND kind = ANY($3)",
        person_id,
        notice_id,
        [*kinds],
    )
    return _notice(row, kinds) if row else None


async def mark_read(conn: Connection, person_id: UUID, upto: UUID, at: datetime) -> int:
    """Mark a person's notices up to one (included) as read; return how many were unread."""
    rows = await conn.fetch(
        """
        UPDATE notice SET read_at = $3
        WHERE person_id = $1 AND notice_id <= $2 AND read_at IS NULL RETURNING notice_id
        """,
        person_id,
        upto,
        at,
    )
    return len(rows)


async def mark_one_read(conn: Connection, person_id: UUID, notice_id: UUID, at: datetime) -> int:
    """Mark one notice as read; return 1, or 0 when it was read or is not there."""
    rows = await conn.fetch(
        """
        UPDATE notice SET read_at = $3
        WHERE person_id = $1 AND notice_id = $2 AND read_at IS NULL RETURNING notice_id
        """,
        person_id,
        notice_id,
        at,
    )
    return len(rows)


async def settle(conn: Connection, person_id: UUID, kind: str, at: datetime) -> None:
    """Mark a person's notices of a kind that were made up to a moment as read."""
    await conn.execute(
        "UPDATE notice SET read_at = $3 WHERE person_id = $1 AND kind = $2 AND at <= $3 AND read_at IS NULL",
        person_id,
        kind,
        at,
    )


async def delete_some(conn: Connection, person_id: UUID, limit: int) -> int:
    """Delete up to `limit` notices of a person; return how many."""
    status = await conn.execute(
        "DELETE FROM notice WHERE person_id = $1 AND notice_id IN ("
        " SELECT notice_id FROM notice WHERE person_id = $1 ORDER BY notice_id LIMIT $2)",
        person_id,
        limit,
    )
    return int(status.rpartition(" ")[2])


def _notice(row: asyncpg.Record, kinds: Mapping[str, NoticeKind]) -> Notice:
    return Notice(
        person_id=row["person_id"],
        id=row["notice_id"],
        at=row["at"],
        kind=kinds[row["kind"]],
        actor=row["actor"],
        categories=tuple(row["categories"].split()),
        document_id=row["document_id"],
        read_at=row["read_at"],
    )
