"""SQL of the verification: reads what is compared; finds rows that contradict each other."""

import secrets
from operator import itemgetter
from typing import Any

import asyncpg

from esante.core.journal.store import DIGEST_INPUT, DIGEST_INPUT_1, HEAD
from esante.core.storage import Connection, Database

REPORTED_ROWS = 5
"""Rows that a check names at most."""


async def misnumbered_persons(db: Database) -> list[asyncpg.Record]:
    """Return persons whose entries are not numbered from 1 on without a gap, or not as many as were counted.

    Sums of hashes under a seed that cannot be known beforehand are compared, which needs no sorting: no other n
    numbers have the sum of the numbers 1 to n. Columns: person_id.
    """
    return await db.fetch(
        """
        WITH counted AS (
            SELECT person_id, count(*) AS entries, sum(hashint8extended(number, $1)) AS numbers
            FROM journal_leaf GROUP BY person_id),
        expected AS (
            SELECT n AS entries, sum(hashint8extended(n, $1)) OVER (ORDER BY n) AS numbers
            FROM generate_series(1::bigint, (SELECT max(entries) FROM counted)) n)
        SELECT person_id FROM counted FULL JOIN journal_person p USING (person_id)
        LEFT JOIN expected e ON e.entries = counted.entries
        WHERE (counted.entries, counted.numbers) IS DISTINCT FROM (p.entries, e.numbers)
        ORDER BY person_id LIMIT $2
        """,
        _seed(),
        REPORTED_ROWS,
    )


async def leaf_past_checkpoint(db: Database) -> int | None:
    """Return the first leaf past the newest checkpoint, or None."""
    seq: int | None = await db.fetchval(
        "SELECT min(seq) FROM journal_leaf WHERE seq > (SELECT coalesce(max(size), 0) FROM journal_checkpoint)"
    )
    return seq


async def pending_digests(db: Database) -> list[asyncpg.Record]:
    """Return every entry that is not sealed: entry_id, digest, digest_input (null where the entry was removed)."""
    return await db.fetch(
        f"SELECT p.entry_id, p.digest, {DIGEST_INPUT} AS digest_input FROM journal_pending p"  # noqa: S608 - a constant expression
        " LEFT JOIN journal_entry e USING (person_id, entry_id)"
    )


async def entries_match_leaves(db: Database) -> bool:
    """Return whether the leaves and the pending rows belong to exactly the stored entries, one to each.

    Compared by count and by the sum of hashes under a seed that cannot be known beforehand: three scans, no join.
    """
    same: bool = await db.fetchval(
        """
        SELECT (e.count, e.sum) IS NOT DISTINCT FROM (l.count, l.sum)
        FROM (SELECT count(*), sum(uuid_hash_extended(entry_id, $1)) FROM journal_entry) e,
             (SELECT count(*), sum(uuid_hash_extended(entry_id, $1)) FROM (
                SELECT entry_id FROM journal_leaf UNION ALL SELECT entry_id FROM journal_pending) all_places) l
        """,
        _seed(),
    )
    return same


async def entries_without_leaf(db: Database) -> list[asyncpg.Record]:
    """Return entries that are neither in the tree nor waiting for the seal. Columns: entry_id."""
    return await db.fetch(
        """
        SELECT e.entry_id FROM journal_entry e
        LEFT JOIN journal_pending p ON p.person_id = e.person_id AND p.entry_id = e.entry_id
        LEFT JOIN journal_leaf l ON l.entry_id = e.entry_id
        WHERE p.entry_id IS NULL AND l.entry_id IS NULL ORDER BY e.entry_id LIMIT $1
        """,
        REPORTED_ROWS,
    )


async def entries_with_several_places(db: Database) -> list[asyncpg.Record]:
    """Return entries with several leaves, or with one while they wait again. Columns: entry_id, places (text)."""
    return await db.fetch(
        "SELECT entry_id, string_agg(coalesce(seq::text, 'waiting again'), ', ' ORDER BY seq) AS places"
        " FROM (SELECT entry_id, seq FROM journal_leaf UNION ALL SELECT entry_id, NULL FROM journal_pending) AS p"
        " GROUP BY entry_id HAVING count(*) > 1 ORDER BY min(seq) LIMIT $1",
        REPORTED_ROWS,
    )


async def cursors_past_checkpoint(db: Database) -> list[asyncpg.Record]:
    """Return the consumers whose cursor is past the newest checkpoint. Columns: reader (its name), seq, size."""
    return await db.fetch(
        "SELECT c.reader, c.seq, h.size FROM journal_cursor c,"
        " (SELECT coalesce(max(size), 0) AS size FROM journal_checkpoint) h WHERE c.seq > h.size ORDER BY c.reader"
    )


async def leaves_with_entries(conn: Connection, first: int, last: int, first_format: int) -> list[Any]:
    """Return the leaves `first` to `last`, each with its entry, in order.

    Columns: seq, number, digest, digest_input, head, suspect. The first `first_format` leaves of the tree have digests
    of the first format. `digest_input` is null where the entry is missing, moved or contradictory, and in the first
    format where its content is gone; `head` is there in the first format only; `suspect` where something is missing or
    too much.
    Leaves are sealed in the order of time, so their entries lie in one range of the time-ordered key: read through
    that, a chunk costs one scan of its own rows and not a look-up for each.
    """
    ends = "SELECT entry_id FROM journal_leaf WHERE seq BETWEEN $1 AND $2 ORDER BY entry_id"
    low, high = await conn.fetchrow(f"SELECT ({ends} LIMIT 1), ({ends} DESC LIMIT 1)", first, last)
    rows: list[Any] = await conn.fetch(
        f"""
        SELECT l.seq, l.number, l.digest,
            CASE WHEN l.person_id <> e.person_id THEN NULL
                 WHEN l.seq > $5 THEN {DIGEST_INPUT} ELSE {DIGEST_INPUT_1} END,
            CASE WHEN l.person_id = e.person_id AND l.seq <= $5 THEN {HEAD} END,
            (l.person_id = e.person_id AND e.salt IS NOT NULL AND e.content IS NOT NULL
             AND e.content_hash IS NULL AND e.expiry_id IS NULL) IS NOT TRUE
        FROM journal_leaf l LEFT JOIN (
            SELECT * FROM journal_entry WHERE entry_id BETWEEN $3 AND $4) e USING (entry_id)
        WHERE l.seq BETWEEN $1 AND $2
        """,  # noqa: S608 - a constant expression
        first,
        last,
        low,
        high,
        first_format,
    )
    rows.sort(key=itemgetter(0))
    return rows


async def suspect_entries(conn: Connection, leaves: list[int]) -> list[asyncpg.Record]:
    """Return what is stored of the entries of `leaves` (seq), in order.

    Columns: seq, entry_id, person_id, removed, moved, at, type, expiry_id, has_salt, has_content, has_hash.
    """
    rows: list[asyncpg.Record] = await conn.fetch(
        """
        SELECT l.seq, l.entry_id, l.person_id, e.person_id IS NULL AS removed, e.person_id <> l.person_id AS moved,
            e.at, e.type, e.expiry_id, e.salt IS NOT NULL AS has_salt, e.content IS NOT NULL AS has_content,
            e.content_hash IS NOT NULL AS has_hash
        FROM journal_leaf l LEFT JOIN journal_entry e USING (entry_id) WHERE l.seq = ANY($1) ORDER BY l.seq
        """,
        leaves,
    )
    return rows


async def checkpoints_between(conn: Connection, first: int, last: int) -> list[asyncpg.Record]:
    """Return the checkpoints of `first` to `last` leaves and the one before them, by size, with all columns."""
    rows: list[asyncpg.Record] = await conn.fetch(
        """
        (SELECT * FROM journal_checkpoint WHERE size < $1 ORDER BY size DESC LIMIT 1)
        UNION ALL (SELECT * FROM journal_checkpoint WHERE size BETWEEN $1 AND $2) ORDER BY size
        """,
        first,
        last,
    )
    return rows


async def cosignatures_between(conn: Connection, first: int, last: int) -> list[asyncpg.Record]:
    """Return the co-signatures on checkpoints of `first` to `last` leaves, by size, with all columns."""
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT * FROM journal_cosignature WHERE size BETWEEN $1 AND $2 ORDER BY size, witness", first, last
    )
    return rows


async def cosignature_past_checkpoint(db: Database) -> asyncpg.Record | None:
    """Return the co-signature on the largest tree, when the newest checkpoint is smaller. Columns: witness, size."""
    return await db.fetchrow(
        "SELECT witness, size FROM journal_cosignature"
        " WHERE size > (SELECT coalesce(max(size), 0) FROM journal_checkpoint) ORDER BY size DESC LIMIT 1"
    )


async def nodes_out_of_place(db: Database) -> list[asyncpg.Record]:
    """Return kept nodes of subtrees that are not complete in the newest checkpoint. Columns: level, position."""
    return await db.fetch(
        """
        SELECT n.level, n.position
        FROM journal_node n, (SELECT coalesce(max(size), 0) AS size FROM journal_checkpoint) h
        WHERE n.level NOT BETWEEN 1 AND 15 OR n.position < 0
           OR n.position >= h.size >> (4 * least(greatest(n.level, 1), 15))
        ORDER BY n.level, n.position LIMIT $1
        """,
        REPORTED_ROWS,
    )


async def stopped_witnesses(db: Database) -> list[asyncpg.Record]:
    """Return the witnesses that are postponed further than a failure postpones them. Columns: witness."""
    return await db.fetch(
        "SELECT witness FROM journal_witness WHERE turn_at > now() + interval '6 minutes' ORDER BY witness"
    )


async def current_cursors(db: Database) -> list[asyncpg.Record]:
    """Return every cursor: reader, seq, and whether it is postponed further than a failure postpones it."""
    return await db.fetch(
        "SELECT reader, seq, retry_at > now() + interval '6 minutes' AS stopped FROM journal_cursor ORDER BY reader"
    )


def _seed() -> int:
    return secrets.randbits(63)
