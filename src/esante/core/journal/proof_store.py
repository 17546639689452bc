"""SQL of proofs: the leaves of a person, the entries, and the hashes that their paths are made of."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import asyncpg

from esante.core.journal.store import CONTENT
from esante.core.storage import Connection, Database


async def node_hashes(
    conn: Connection | Database, wanted: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int], bytes]:
    """Return the kept nodes of the ranges `(level, first, count)`, level > 0, by (level, position)."""
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


async def leaf_rows(conn: Connection | Database, wanted: Iterable[tuple[int, int]]) -> list[asyncpg.Record]:
    """Return the leaf rows of the ranges `(first, count)` of 0-based positions (position = seq - 1)."""
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


async def leaves_of(conn: Connection | Database, person_id: UUID, size: int) -> list[asyncpg.Record]:
    """Return the leaves of a person in a tree of `size`, in the order of their numbers: number, seq, entry_id."""
    rows: list[asyncpg.Record] = await conn.fetch(
        "SELECT number, seq, entry_id FROM journal_leaf WHERE person_id = $1 AND seq <= $2 ORDER BY number",
        person_id,
        size,
    )
    return rows


async def are_sealed_later(db: Database, entry_ids: Sequence[UUID], size: int) -> bool:
    """Return whether some of the entries wait for the seal, or have their place after the first `size` leaves."""
    found: bool = await db.fetchval(
        "SELECT EXISTS (SELECT FROM journal_pending WHERE entry_id = ANY($1))"
        " OR EXISTS (SELECT FROM journal_leaf WHERE entry_id = ANY($1) AND seq > $2)",
        entry_ids,
        size,
    )
    return found


async def proof_rows(conn: Connection | Database, person_id: UUID, entry_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Return sealed entries of a person with salt, digest, inner hash and the entry of their expiry, by number."""
    rows: list[asyncpg.Record] = await conn.fetch(
        f"""
        SELECT l.seq, l.number, l.digest, e.entry_id, e.person_id, e.at, e.type, e.content_hash, e.expiry_id,
            e.salt, {CONTENT}
        FROM journal_entry e JOIN journal_leaf l USING (person_id, entry_id)
        WHERE e.person_id = $1 AND e.entry_id = ANY($2) ORDER BY l.number
        """,  # noqa: S608 - a constant expression
        person_id,
        entry_ids,
    )
    return rows
