"""SQL of proofs: the leaves of a person, their entries, and the records of the ends of retentions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from esante.core.journal.store import CONTENT
from esante.core.storage import Connection, Database


async def count_leaves(db: Database, person_id: UUID, size: int) -> int:
    """Return how many leaves a person has in a tree of `size`."""
    return int(
        await db.fetchval("SELECT count(*) FROM journal_leaf WHERE person_id = $1 AND seq <= $2", person_id, size)
    )


async def entry_ids_between(db: Database, person_id: UUID, first: int, last: int) -> list[UUID]:
    """Return the entries of a person with the numbers `first` to `last`, in order."""
    rows = await db.fetch(
        "SELECT entry_id FROM journal_leaf WHERE person_id = $1 AND number BETWEEN $2 AND $3 ORDER BY number",
        person_id,
        first,
        last,
    )
    return [row["entry_id"] for row in rows]


async def expiry_ids(db: Database, person_id: UUID, after: UUID, size: int, limit: int) -> list[UUID]:
    """Return the next records of ends of retentions of a person's entries, by key, in a tree of `size`."""
    rows = await db.fetch(
        """
        SELECT DISTINCT l.entry_id FROM journal_entry e JOIN journal_leaf l ON l.entry_id = e.expiry_id
        WHERE e.person_id = $1 AND e.expiry_id > $2 AND l.seq <= $3 ORDER BY l.entry_id LIMIT $4
        """,
        person_id,
        after,
        size,
        limit,
    )
    return [row["entry_id"] for row in rows]


async def has_later_expiry(db: Database, person_id: UUID, size: int) -> bool:
    """Return whether a content of a person is gone and the record of that is not among the first `size` leaves.

    Records that no entry holds are left out: they are no proof in any tree.
    """
    found: bool = await db.fetchval(
        """
        WITH records AS (SELECT DISTINCT expiry_id FROM journal_entry WHERE person_id = $1 AND expiry_id IS NOT NULL)
        SELECT EXISTS (SELECT FROM journal_pending p JOIN records r ON r.expiry_id = p.entry_id)
            OR EXISTS (SELECT FROM journal_leaf l JOIN records r ON r.expiry_id = l.entry_id WHERE l.seq > $2)
        """,
        person_id,
        size,
    )
    return found


async def proof_rows(conn: Connection | Database, person_id: UUID, entry_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Return sealed entries of a person with salt, digest, inner hash and the entry of their expiry, by number."""
    rows: list[Any] = await conn.fetch(
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
