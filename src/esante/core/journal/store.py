"""SQL of the journal: its entries, its tree, its cursors."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from esante.core.journal.model import EVENTS, Actor, Checkpoint, Content, Entry, SealedEntry
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
        "cursors": "text",
    },
)
CURSOR = Table("journal_cursor", Kind.LOCAL, {"reader": "text"})

_SEAL_LOCK = 0x6A6F75726E616C
_MONTHS_LOCK = _SEAL_LOCK + 1
_content = msgspec.json.Decoder(Content)
HEAD = (
    "uuid_send(e.entry_id) || uuid_send(e.person_id) || timestamptz_send(e.at)"
    " || convert_to(e.type, 'UTF8') || '\\x00'::bytea"
)
"""The head of an entry `e`: the bytes of id, person, time and type."""
DIGEST_INPUT_1 = f"e.salt || {HEAD} || e.content"
"""The bytes of an entry `e` that a digest of the first format hashes; null once its content is gone."""
CONTENT_HASH = (
    "CASE WHEN e.content_hash IS NULL THEN sha256(e.salt || e.content)"
    " WHEN e.salt IS NULL AND e.content IS NULL THEN e.content_hash END"
)
"""The inner hash of an entry `e`; null where it is contradictory."""
DIGEST_INPUT = f"convert_to('esante-journal-entry/2', 'UTF8') || '\\x00'::bytea || {HEAD} || {CONTENT_HASH}"
"""The bytes of an entry `e` that `model.digest_of` hashes; null where its content is contradictory."""
CONTENT = (
    "CASE WHEN e.salt IS NOT NULL AND e.content_hash IS NULL AND e.expiry_id IS NULL THEN e.content END AS content"
)
"""The content of an entry `e`; one without its salt, or after its retention ended, is none: no digest covers it."""


def month_starts(first: datetime, last: datetime) -> list[datetime]:
    """Return the first moments of the months from `first` to `last`, both included (UTC)."""
    starts, year, month = [], first.year, first.month
    while (year, month) <= (last.year, last.month):
        starts.append(datetime(year, month, 1, tzinfo=UTC))
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return starts


async def ensure_months(conn: Connection, first: datetime, last: datetime) -> None:
    """Create the monthly partitions from `first` to `last` where they are missing; in a transaction."""
    missing = [start for start in month_starts(first, last) if not await _partition_exists(conn, start)]
    if missing:
        await conn.execute("SELECT pg_advisory_xact_lock($1)", _MONTHS_LOCK)  # two processes create them in turn
    for start in missing:
        name = _partition(start)
        end = month_starts(start, datetime(start.year + start.month // 12, start.month % 12 + 1, 1, tzinfo=UTC))[-1]
        await conn.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF journal_entry"
            f" FOR VALUES FROM ('{uuid7_floor(start)}') TO ('{uuid7_floor(end)}')"
        )


def _partition(start: datetime) -> str:
    return f"journal_entry_{start:%Y_%m}"


async def _partition_exists(conn: Connection, start: datetime) -> bool:
    return bool(await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", _partition(start)))


async def try_lock_sealing(conn: Connection) -> bool:
    """Take the sealer's lock for this transaction; return False when another process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _SEAL_LOCK))


async def lock_sealing(conn: Connection) -> None:
    """Take the sealer's lock for this transaction; wait while another process has it."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _SEAL_LOCK)


async def pending_entries_to_seal(conn: Connection, limit: int) -> list[asyncpg.Record]:
    """Return up to `limit` waiting entries, the oldest, in order: person_id, entry_id, digest, digest_input.

    `digest_input` is what the stored entry gives (`DIGEST_INPUT`), null where the entry is missing.
    """
    # The bounds let PostgreSQL skip the monthly partitions that have none of these entries. They bound both sides: an
    # entry that is appended between the two statements waits for the next seal.
    low, high = await conn.fetchrow(
        "SELECT min(entry_id::text)::uuid, max(entry_id::text)::uuid"
        " FROM (SELECT entry_id FROM journal_pending ORDER BY entry_id LIMIT $1) p",
        limit,
    )
    rows: list[asyncpg.Record] = await conn.fetch(
        f"""
        SELECT p.person_id, p.entry_id, p.digest, {DIGEST_INPUT} AS digest_input
        FROM (SELECT person_id, entry_id, digest FROM journal_pending WHERE entry_id BETWEEN $2 AND $3
              ORDER BY entry_id LIMIT $1) p
        LEFT JOIN (SELECT * FROM journal_entry WHERE entry_id BETWEEN $2 AND $3) e USING (person_id, entry_id)
        ORDER BY p.entry_id
        """,  # noqa: S608 - a constant expression
        limit,
        low,
        high,
    )
    return rows


async def entries_with_leaf(conn: Connection, entry_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of some entries that are in the tree already."""
    rows = await conn.fetch("SELECT entry_id FROM journal_leaf WHERE entry_id = ANY($1)", entry_ids)
    return {row["entry_id"] for row in rows}


async def take_pending(conn: Connection, entry_ids: Sequence[UUID]) -> set[UUID]:
    """Take entries from those that wait; return those that this transaction took, which alone may be sealed.

    After a lost connection, a cluster may show an entry as waiting whose removal is prepared and not yet committed.
    """
    rows = await conn.fetch("DELETE FROM journal_pending WHERE entry_id = ANY($1) RETURNING entry_id", entry_ids)
    return {row["entry_id"] for row in rows}


async def entry_counts(conn: Connection, persons: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return for each of `persons` the number of their sealed entries as it was counted, and their last number."""
    rows = await conn.fetch(
        """
        SELECT w.person_id, coalesce(p.entries, 0) AS entries, coalesce(l.number, 0) AS number
        FROM unnest($1::uuid[]) AS w (person_id) LEFT JOIN journal_person p USING (person_id)
        LEFT JOIN LATERAL (
            SELECT number FROM journal_leaf WHERE person_id = w.person_id ORDER BY number DESC LIMIT 1) l ON true
        """,
        persons,
    )
    return {row["person_id"]: (row["entries"], row["number"]) for row in rows}


async def store_entry_counts(conn: Connection, counts: dict[UUID, int]) -> None:
    """Store the number of sealed entries of each person."""
    await conn.execute(
        f"{PERSON.insert_sql()} ON CONFLICT (person_id) DO UPDATE SET entries = excluded.entries",
        list(counts),
        list(counts.values()),
    )


async def last_checkpoint(conn: Connection | Database, size: int | None = None) -> asyncpg.Record | None:
    """Return the newest checkpoint row, of at most `size` entries where that is given, or None when there is none."""
    sql = "SELECT * FROM journal_checkpoint WHERE size <= coalesce($1, 9223372036854775807) ORDER BY size DESC LIMIT 1"
    return await conn.fetchrow(sql, size)


def checkpoint_from_row(row: asyncpg.Record) -> Checkpoint:
    """Return the checkpoint of a row."""
    return Checkpoint(row["size"], row["root"], row["sealed_at"], row["note"])


_SELECT = f"""
SELECT e.entry_id, e.person_id, e.at, e.type, {CONTENT}, l.seq
FROM journal_entry e LEFT JOIN journal_leaf l USING (entry_id)
"""  # noqa: S608 - a constant expression


async def entries_of(
    db: Database, person_id: UUID, types: Sequence[str], before: UUID | None, limit: int
) -> list[Entry]:
    """Return up to `limit` entries of a person, of `types`, older than `before` (an entry id), newest first."""
    rows = await db.fetch(
        f"{_SELECT} WHERE e.person_id = $1 AND e.type = ANY($2) AND ($3::uuid IS NULL OR e.entry_id < $3)"
        " ORDER BY e.entry_id DESC LIMIT $4",
        person_id,
        list(types),
        before,
        limit,
    )
    return [entry_from_row(row) for row in rows]


async def entry_of(db: Database, person_id: UUID, entry_id: UUID) -> Entry | None:
    """Return one entry of a person, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE e.person_id = $1 AND e.entry_id = $2", person_id, entry_id)
    return entry_from_row(row) if row else None


async def entries_after(conn: Connection, seq: int, types: Sequence[str], limit: int) -> tuple[int, list[Entry]]:
    """Return the last of the next `limit` leaves after `seq`, and the entries of `types` among them."""
    last = await conn.fetchval("SELECT max(seq) FROM journal_leaf WHERE seq > $1 AND seq <= $1 + $2", seq, limit)
    if last is None:
        return seq, []
    rows = await conn.fetch(
        f"""
        SELECT e.entry_id, e.person_id, e.at, e.type, {CONTENT}, l.seq
        FROM journal_leaf l JOIN journal_entry e USING (person_id, entry_id)
        WHERE l.seq > $1 AND l.seq <= $2 AND e.type = ANY($3) ORDER BY l.seq
        """,  # noqa: S608 - a constant expression
        seq,
        last,
        list(types),
    )
    return last, [entry_from_row(row) for row in rows]


async def sealed_entries(db: Database, seq: int, limit: int) -> list[SealedEntry]:
    """Return up to `limit` entries after leaf `seq`, in order, each with the time of the seal that covers it."""
    async with db.transaction("repeatable_read") as conn:
        # The bounds let PostgreSQL skip the monthly partitions that have none of these entries.
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
            f"""
            SELECT l.seq, l.person_id, e.at, e.type, {CONTENT}
            FROM journal_leaf l JOIN journal_entry e USING (person_id, entry_id)
            WHERE l.seq > $1 AND l.seq <= $1 + $2 AND e.entry_id BETWEEN $3 AND $4 ORDER BY l.seq
            """,  # noqa: S608 - a constant expression
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
    return [SealedEntry(**row, sealed_at=seals[bisect_left(sizes, row["seq"])]["sealed_at"]) for row in rows]


async def pending_entries(conn: Connection, type_: str) -> list[Entry]:
    """Return the entries of a type that wait for the seal."""
    rows = await conn.fetch(
        f"SELECT e.entry_id, e.person_id, e.at, e.type, {CONTENT}, NULL::bigint AS seq"  # noqa: S608 - a constant expression
        " FROM journal_pending p JOIN journal_entry e USING (person_id, entry_id) WHERE e.type = $1",
        type_,
    )
    return [entry_from_row(row) for row in rows]


async def unsealed_entries(conn: Connection, type_: str) -> list[Entry]:
    """Return the entries of a type that have no leaf yet, those included that the sealer has taken; reads them all."""
    rows = await conn.fetch(f"{_SELECT} WHERE e.type = $1 AND l.seq IS NULL", type_)
    return [entry_from_row(row) for row in rows]


def entry_from_row(row: asyncpg.Record) -> Entry:
    """Return the entry of a row of `journal_entry` with its `seq`."""
    if row["content"] is None:
        expired = Actor(kind="expired")
        return Entry(row["entry_id"], row["person_id"], row["at"], row["type"], expired, "", None, row["seq"])
    content = _content.decode(row["content"])
    known = EVENTS.get(row["type"])
    event = msgspec.json.decode(content.event, type=known) if known else None
    return Entry(
        row["entry_id"], row["person_id"], row["at"], row["type"], content.actor, content.origin, event, row["seq"]
    )


async def heads_digest(conn: Connection, first: int, last: int) -> bytes:
    """Return SHA-256 over the heads of the entries of the leaves `first` to `last`, in order."""
    digest: bytes = await conn.fetchval(
        f"""
        SELECT sha256(string_agg({HEAD}, ''::bytea ORDER BY l.seq))
        FROM journal_leaf l JOIN journal_entry e USING (person_id, entry_id) WHERE l.seq BETWEEN $1 AND $2
        """,  # noqa: S608 - a constant expression
        first,
        last,
    )
    return digest


async def cursor_text(conn: Connection) -> str:
    """Return how far each reader has come, "reader seq" a line, as a checkpoint keeps it."""
    rows = await conn.fetch("SELECT reader, seq FROM journal_cursor ORDER BY reader")
    return "".join(f"{row['reader']} {row['seq']}\n" for row in rows)


async def copy_entries(conn: Connection, entries: Sequence[tuple[Any, ...]]) -> None:
    """Copy entries (values in the order of the columns of `ENTRY`) into the table."""
    await conn.copy_records_to_table(ENTRY.name, records=entries, columns=list(ENTRY.columns))


async def pending_count(db: Database) -> int:
    """Return the number of entries that are not sealed yet."""
    return int(await db.fetchval("SELECT count(*) FROM journal_pending"))


async def cursor_rows(db: Database) -> list[asyncpg.Record]:
    """Return the cursor of every consumer: reader (its name), seq, failures, last_error, retry_at."""
    return await db.fetch("SELECT * FROM journal_cursor ORDER BY reader")


async def lock_cursor(conn: Connection, consumer: str) -> int | None:
    """Lock the cursor of a consumer, created if missing; return the last `seq` that it has handled.

    None when another process has the lock, or the consumer is postponed.
    """
    await conn.execute("INSERT INTO journal_cursor (reader) VALUES ($1) ON CONFLICT DO NOTHING", consumer)
    seq: int | None = await conn.fetchval(
        "SELECT seq FROM journal_cursor WHERE reader = $1 AND retry_at <= now() FOR UPDATE SKIP LOCKED", consumer
    )
    return seq


async def move_cursor(conn: Connection, consumer: str, seq: int) -> None:
    """Store the last `seq` that a consumer has handled, and forget its failures."""
    await conn.execute(
        "UPDATE journal_cursor SET seq = $2, failures = 0, last_error = '' WHERE reader = $1", consumer, seq
    )


async def postpone_cursor(db: Database, consumer: str, error: str) -> None:
    """Store a failure of a consumer and its next attempt: after 1 s, 2 s, 4 s … at most five minutes."""
    await db.fetchval(
        """
        UPDATE journal_cursor SET failures = failures + 1, last_error = $2,
            retry_at = now() + least(power(2, failures), 300) * interval '1 second'
        WHERE reader = $1
        """,
        consumer,
        error,
    )


def encode_json(value: Any) -> bytes:
    """Return the bytes that are hashed: JSON with the fields in their declared order."""
    return msgspec.json.encode(value)
