"""SQL of the end of retention: which leaves are due, the removal of their contents, what is queued."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.journal.model import Entry
from esante.core.journal.store import CONTENT, entry_from_row
from esante.core.storage import NIL, Connection, Database, Kind, Row, Table, uuid7_floor

DUE = Table("journal_due", Kind.LOCAL, {"seq": "bigint", "type": "text"}, once=True)


async def due_leaves(conn: Connection, type_: str, before: datetime, limit: int, *, of_person: bool) -> list[int]:
    """Return the first leaves (`seq`), up to `limit`, of entries of a type before a moment that have their content.

    `of_person`: of the entries that are filed under a person, or else of the others.
    """
    rows = await conn.fetch(
        """
        SELECT l.seq FROM journal_entry e JOIN journal_leaf l USING (person_id, entry_id)
        WHERE e.type = $1 AND e.entry_id < $2 AND e.at < $3 AND e.content IS NOT NULL AND (e.person_id <> $4) = $5
        ORDER BY l.seq LIMIT $6
        """,
        type_,
        uuid7_floor(before),
        before,
        NIL,
        of_person,
        limit,
    )
    return [row["seq"] for row in rows]


async def kept_entries(
    db: Database | Connection, person_id: UUID, after: UUID, upto: datetime, limit: int
) -> list[Entry]:
    """Return the entries of a person before a moment that have their content, oldest first, after an id."""
    rows = await db.fetch(
        f"""
        SELECT e.entry_id, e.person_id, e.at, e.type, {CONTENT}, l.seq
        FROM journal_entry e LEFT JOIN journal_leaf l USING (person_id, entry_id)
        WHERE e.person_id = $1 AND e.entry_id > $2 AND e.entry_id < $3 AND e.content IS NOT NULL
        ORDER BY e.entry_id LIMIT $4
        """,  # noqa: S608 - a constant expression
        person_id,
        after,
        uuid7_floor(upto),
        limit,
    )
    return [entry_from_row(row) for row in rows]


def due_rows(entries: Sequence[Entry]) -> list[Row]:
    """Return the rows that queue sealed entries for the removal of their contents."""
    return [(DUE, (entry.seq, entry.type)) for entry in entries]


async def queued_types(db: Database) -> list[str]:
    """Return the types of the entries that are queued."""
    return [row["type"] for row in await db.fetch("SELECT DISTINCT type FROM journal_due ORDER BY type")]


async def queued_count(db: Database) -> int:
    """Return the number of entries that are queued."""
    return int(await db.fetchval("SELECT count(*) FROM journal_due"))


async def take_queued(conn: Connection, type_: str, before: datetime, limit: int) -> list[int]:
    """Take leaves of a type from the queue; return those before a moment whose entries have their content."""
    rows = await conn.fetch(
        """
        WITH due AS (
            SELECT d.seq, e.content IS NOT NULL AS kept
            FROM journal_due d JOIN journal_leaf l USING (seq) JOIN journal_entry e USING (person_id, entry_id)
            WHERE d.type = $1 AND e.at < $3 ORDER BY d.seq LIMIT $2),
        taken AS (DELETE FROM journal_due WHERE seq IN (SELECT seq FROM due))
        SELECT seq FROM due WHERE kept ORDER BY seq
        """,
        type_,
        limit,
        before,
    )
    return [row["seq"] for row in rows]


async def remove_contents(conn: Connection, leaves: Sequence[int], expiry_id: UUID, first_format: int) -> None:
    """Remove the contents of the entries of `leaves`; those past `first_format` keep their inner hash."""
    await conn.execute(
        """
        UPDATE journal_entry e SET salt = NULL, content = NULL, expiry_id = $2,
            content_hash = CASE WHEN l.seq > $3 THEN sha256(e.salt || e.content) END
        FROM journal_leaf l WHERE l.entry_id = e.entry_id AND l.person_id = e.person_id AND l.seq = ANY($1)
        """,
        leaves,
        expiry_id,
        first_format,
    )


async def assign_expiry(conn: Connection, expiry_id: UUID, ranges: Sequence[Sequence[int]]) -> None:
    """Name the entry that records the end of their retention in the entries of leaves whose content is gone."""
    await conn.execute(
        """
        UPDATE journal_entry e SET expiry_id = $1
        FROM journal_leaf l, unnest($2::bigint[], $3::bigint[]) AS w (first, last)
        WHERE l.seq BETWEEN w.first AND w.last AND e.entry_id = l.entry_id AND e.person_id = l.person_id
          AND e.content IS NULL AND e.expiry_id IS NULL
        """,
        expiry_id,
        [first for first, _ in ranges],
        [last for _, last in ranges],
    )
