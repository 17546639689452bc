"""All SQL of the journal."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from esante.core.journal.model import EVENTS, Actor, Checkpoint, Content, Entry, Sealed
from esante.core.storage import Connection, Database, Kind, Table, uuid7_floor

ENTRY = Table(
    "journal_entry",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "entry_id": "uuid",
        "at": "timestamptz",
        "type": "text",
        "salt": "bytea",
        "content": "bytea",
    },
)
PENDING = Table("journal_pending", Kind.PERSON, {"person_id": "uuid", "entry_id": "uuid", "digest": "bytea"})
LEAF = Table(
    "journal_leaf",
    Kind.LOCAL,
    {"seq": "bigint", "entry_id": "uuid", "person_id": "uuid", "number": "bigint", "digest": "bytea"},
)
PERSON = Table("journal_person", Kind.PERSON, {"person_id": "uuid", "entries": "bigint"})
NODE = Table("journal_node", Kind.LOCAL, {"level": "smallint", "position": "bigint", "hash": "bytea"})
CHECKPOINT = Table(
    "journal_checkpoint",
    Kind.LOCAL,
    {
        "size": "bigint",
        "sealed_at": "timestamptz",
        "root": "bytea",
        "frontier": "bytea",
        "note": "text",
    },
)
CURSOR = Table("journal_cursor", Kind.LOCAL, {"reader": "text"})

_SEAL_LOCK = 0x6A6F75726E616C
_MONTHS_LOCK = _SEAL_LOCK + 1
_content = msgspec.json.Decoder(Content)
DIGESTED = (
    "e.salt || uuid_send(e.entry_id) || uuid_send(e.person_id) || timestamptz_send(e.at)"
    " || convert_to(e.type, 'UTF8') || '\\x00'::bytea || e.content"
)
"""The bytes of an entry `e` that `model.digest_of` hashes; null once its content is gone."""


def months(first: datetime, last: datetime) -> list[datetime]:
    """The first moments of the months from `first` to `last`, both included."""
    found, year, month = [], first.year, first.month
    while (year, month) <= (last.year, last.month):
        found.append(datetime(year, month, 1, tzinfo=UTC))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


async def ensure_months(conn: Connection, first: datetime, last: datetime) -> None:
    """Make the monthly partitions from `first` to `last` where they are missing; in a transaction."""
    missing = [start for start in months(first, last) if not await _is_there(conn, start)]
    if missing:
        await conn.execute("SELECT pg_advisory_xact_lock($1)", _MONTHS_LOCK)  # two that start make them in turn
    for start in missing:
        name = _partition(start)
        end = months(start, datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC))[-1]
        await conn.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF journal_entry"
            f" FOR VALUES FROM ('{uuid7_floor(start)}') TO ('{uuid7_floor(end)}')"
        )


def _partition(start: datetime) -> str:
    return f"journal_entry_{start:%Y_%m}"


async def _is_there(conn: Connection, start: datetime) -> bool:
    return bool(await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", _partition(start)))


async def lock_seal(conn: Connection) -> bool:
    """Take the sealer's lock for this transaction; False when another process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _SEAL_LOCK))


async def wait_for_seal(conn: Connection) -> None:
    """Take the sealer's lock for this transaction, as soon as no other process has it."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _SEAL_LOCK)


async def take_pending(conn: Connection, limit: int) -> list[asyncpg.Record]:
    """Remove up to `limit` waiting entries, the oldest, and return them in order: person_id, entry_id, digest.

    Only who holds the sealer's lock may call it: then nobody takes rows between the two statements.
    """
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT person_id, entry_id, digest FROM journal_pending ORDER BY entry_id LIMIT $1", limit
    )
    await conn.execute("DELETE FROM journal_pending WHERE entry_id = ANY($1)", [row["entry_id"] for row in rows])
    return rows


async def counts_of(conn: Connection, persons: Sequence[UUID]) -> dict[UUID, int]:
    """How many sealed entries each of `persons` has; those without any are missing."""
    rows = await conn.fetch("SELECT person_id, entries FROM journal_person WHERE person_id = ANY($1)", persons)
    return {row["person_id"]: row["entries"] for row in rows}


async def set_counts(conn: Connection, counts: dict[UUID, int]) -> None:
    """Store the number of sealed entries of persons."""
    await conn.execute(
        f"{PERSON.insert_sql()} ON CONFLICT (person_id) DO UPDATE SET entries = excluded.entries",
        list(counts),
        list(counts.values()),
    )


async def last_checkpoint(conn: Connection | Database) -> asyncpg.Record | None:
    """The newest checkpoint row, or None before the first seal."""
    return await conn.fetchrow("SELECT * FROM journal_checkpoint ORDER BY size DESC LIMIT 1")


def checkpoint(row: asyncpg.Record) -> Checkpoint:
    """A checkpoint row as its type."""
    return Checkpoint(row["size"], row["root"], row["sealed_at"], row["note"])


_SELECT = """
SELECT e.entry_id, e.person_id, e.at, e.type, e.content, l.seq
FROM journal_entry e LEFT JOIN journal_leaf l USING (entry_id)
"""


async def entries_of(
    db: Database, person_id: UUID, types: Sequence[str], before: UUID | None, limit: int
) -> list[Entry]:
    """A person's entries of `types`, newest first, those before `before` only."""
    rows = await db.fetch(
        f"{_SELECT} WHERE e.person_id = $1 AND e.type = ANY($2) AND ($3::uuid IS NULL OR e.entry_id < $3)"
        " ORDER BY e.entry_id DESC LIMIT $4",
        person_id,
        list(types),
        before,
        limit,
    )
    return [entry(row) for row in rows]


async def entry_of(db: Database, person_id: UUID, entry_id: UUID) -> Entry | None:
    """One entry of a person."""
    row = await db.fetchrow(f"{_SELECT} WHERE e.person_id = $1 AND e.entry_id = $2", person_id, entry_id)
    return entry(row) if row else None


async def after(conn: Connection, seq: int, types: Sequence[str], limit: int) -> tuple[int, list[Entry]]:
    """The entries among the next `limit` leaves after `seq` that are of `types`, and the last leaf looked at."""
    last = await conn.fetchval("SELECT max(seq) FROM journal_leaf WHERE seq > $1 AND seq <= $1 + $2", seq, limit)
    if last is None:
        return seq, []
    rows = await conn.fetch(
        """
        SELECT e.entry_id, e.person_id, e.at, e.type, e.content, l.seq
        FROM journal_leaf l JOIN journal_entry e USING (person_id, entry_id)
        WHERE l.seq > $1 AND l.seq <= $2 AND e.type = ANY($3) ORDER BY l.seq
        """,
        seq,
        last,
        list(types),
    )
    return last, [entry(row) for row in rows]


async def sealed(db: Database, seq: int, limit: int) -> list[Sealed]:
    """Up to `limit` entries after leaf `seq`, in order, each with the time of the seal that covers it."""
    async with db.transaction("repeatable_read") as conn:
        # The bounds let PostgreSQL pass over the months that hold none of these entries.
        bounds = await conn.fetch(
            """
            WITH w AS (SELECT entry_id FROM journal_leaf WHERE seq > $1 AND seq <= $1 + $2)
            (SELECT entry_id FROM w ORDER BY entry_id LIMIT 1) UNION ALL
            (SELECT entry_id FROM w ORDER BY entry_id DESC LIMIT 1)
            """,
            seq,
            limit,
        )
        if not bounds:
            return []
        rows = await conn.fetch(
            """
            SELECT l.seq, l.person_id, e.at, e.type, e.content
            FROM journal_leaf l JOIN journal_entry e USING (person_id, entry_id)
            WHERE l.seq > $1 AND l.seq <= $1 + $2 AND e.entry_id BETWEEN $3 AND $4 ORDER BY l.seq
            """,
            seq,
            limit,
            bounds[0]["entry_id"],
            bounds[1]["entry_id"],
        )
        seals = await conn.fetch(
            "SELECT size, sealed_at FROM journal_checkpoint WHERE size > $1 ORDER BY size"
            " LIMIT (SELECT count(*) + 1 FROM journal_checkpoint WHERE size > $1 AND size < $1 + $2)",
            seq,
            limit,
        )
    sizes = [row["size"] for row in seals]
    return [Sealed(**row, sealed_at=seals[bisect_left(sizes, row["seq"])]["sealed_at"]) for row in rows]


async def waiting(conn: Connection, type_: str) -> list[Entry]:
    """The entries of a type that are not sealed yet."""
    rows = await conn.fetch(
        "SELECT e.entry_id, e.person_id, e.at, e.type, e.content, NULL::bigint AS seq"
        " FROM journal_pending p JOIN journal_entry e USING (person_id, entry_id) WHERE e.type = $1",
        type_,
    )
    return [entry(row) for row in rows]


def entry(row: asyncpg.Record) -> Entry:
    """A joined row as an entry."""
    if row["content"] is None:
        gone = Actor(kind="expired")
        return Entry(row["entry_id"], row["person_id"], row["at"], row["type"], gone, "", None, row["seq"])
    content = _content.decode(row["content"])
    known = EVENTS.get(row["type"])
    event = msgspec.json.decode(content.event, type=known) if known else None
    return Entry(
        row["entry_id"], row["person_id"], row["at"], row["type"], content.actor, content.origin, event, row["seq"]
    )


async def kept_hashes(
    conn: Connection | Database, wanted: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int], bytes]:
    """Kept nodes `(level, first, count)`, level > 0, by (level, position)."""
    ranges = list(wanted)
    if not ranges:
        return {}
    rows = await conn.fetch(
        """
        SELECT n.level, n.position, n.hash
        FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS w (level, first, last)
        JOIN journal_node n ON n.level = w.level AND n.position BETWEEN w.first AND w.last
        """,
        [level for level, _, _ in ranges],
        [first for _, first, _ in ranges],
        [first + count - 1 for _, first, count in ranges],
    )
    return {(row["level"], row["position"]): row["hash"] for row in rows}


async def leaves_in(conn: Connection | Database, wanted: Iterable[tuple[int, int]]) -> list[asyncpg.Record]:
    """Leaf rows of the ranges `(first, count)` of 0-based positions (position = seq - 1)."""
    ranges = list(wanted)
    rows: list[asyncpg.Record] = await conn.fetch(
        """
        SELECT l.seq, l.number, l.digest
        FROM unnest($1::bigint[], $2::bigint[]) AS w (first, last)
        JOIN journal_leaf l ON l.seq BETWEEN w.first AND w.last
        """,
        [first + 1 for first, _ in ranges],
        [first + count for first, count in ranges],
    )
    return rows


async def sealed_of(conn: Connection | Database, person_id: UUID, size: int) -> list[asyncpg.Record]:
    """All sealed entries of a person in a tree of `size`, by number."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """
        SELECT l.seq, l.number, l.digest, e.entry_id, e.at, e.type, e.salt, e.content
        FROM journal_entry e JOIN journal_leaf l USING (person_id, entry_id)
        WHERE e.person_id = $1 AND l.seq <= $2 ORDER BY l.number
        """,
        person_id,
        size,
    )
    return rows


async def expire(conn: Connection, type_: str, before: datetime) -> list[int]:
    """Take the contents of sealed entries of a type before a moment; returns their leaves, in order."""
    rows = await conn.fetch(
        """
        UPDATE journal_entry e SET salt = NULL, content = NULL FROM journal_leaf l
        WHERE l.entry_id = e.entry_id AND l.person_id = e.person_id
          AND e.type = $1 AND e.entry_id < $2 AND e.content IS NOT NULL
        RETURNING l.seq
        """,
        type_,
        uuid7_floor(before),
    )
    return sorted(row["seq"] for row in rows)


def encoded(value: Any) -> bytes:
    """The bytes that are hashed: JSON with the fields in their declared order."""
    return msgspec.json.encode(value)
