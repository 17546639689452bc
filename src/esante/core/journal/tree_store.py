"""SQL of the tree: kept nodes, and leaves by their position."""

from collections.abc import Iterable

import asyncpg

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
