"""SQL of witnesses: the co-signatures, and what is known of each witness."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table

COSIGNATURE = Table(
    "journal_cosignature",
    Kind.LOCAL,
    {"witness": "text", "size": "bigint", "signed_at": "timestamptz", "signature": "bytea"},
    once=True,
)
WITNESS = Table("journal_witness", Kind.LOCAL, {"witness": "text"})


def cosignature_row(witness: str, size: int, signed_at: datetime, signature: bytes) -> Row:
    """Return the row of a co-signature of a witness (its key as a text) on the checkpoint of a size."""
    return COSIGNATURE, (witness, size, signed_at, signature)


async def newest_cosignatures(db: Database, witnesses: Sequence[str], size: int) -> list[asyncpg.Record]:
    """Return for each of `witnesses` the newest co-signature on a checkpoint of at most `size` entries.

    Columns: witness, size, signed_at, signature, and the note of the checkpoint.
    """
    return await db.fetch(
        """
        SELECT w.witness, c.size, c.signed_at, c.signature, h.note
        FROM unnest($1::text[]) WITH ORDINALITY AS w (witness, place)
        CROSS JOIN LATERAL (
            SELECT * FROM journal_cosignature WHERE witness = w.witness AND size <= $2 ORDER BY size DESC LIMIT 1) c
        JOIN journal_checkpoint h ON h.size = c.size ORDER BY w.place
        """,
        list(witnesses),
        size,
    )


async def add_witness(db: Database, witness: str) -> None:
    """Store that there is a witness, unless it is known."""
    await db.fetchval("INSERT INTO journal_witness (witness) VALUES ($1) ON CONFLICT DO NOTHING", witness)


async def take_turn(db: Database, witness: str, lease: timedelta) -> int | None:
    """Take a witness for this process until the lease ends; return the size that it signed last, as far as is known.

    None when its newest co-signature is on the newest checkpoint, or it is not its turn.
    """
    size: int | None = await db.fetchval(
        """
        UPDATE journal_witness SET turn_at = now() + $2::interval
        WHERE witness = $1 AND turn_at <= now()
          AND (SELECT max(size) FROM journal_checkpoint)
            > coalesce((SELECT max(size) FROM journal_cosignature WHERE witness = $1), 0)
        RETURNING size
        """,
        witness,
        lease,
    )
    return size


async def record_size(conn: Connection | Database, witness: str, size: int) -> None:
    """Record the size that a witness signed last."""
    await conn.fetchval("UPDATE journal_witness SET size = $2 WHERE witness = $1", witness, size)


async def record_success(conn: Connection, witness: str, size: int) -> None:
    """Record that a witness signed the checkpoint of a size, and that its next turn is now."""
    await conn.execute(
        "UPDATE journal_witness SET size = $2, turn_at = now(), failures = 0, last_error = '' WHERE witness = $1",
        witness,
        size,
    )


async def record_failure(db: Database, witness: str, error: str) -> None:
    """Record a failure of a witness; its next turn is after 1 s, 2 s, 4 s … at most five minutes."""
    await db.fetchval(
        """
        UPDATE journal_witness SET failures = failures + 1, last_error = $2,
            turn_at = now() + least(power(2, least(failures, 20)), 300) * interval '1 second'
        WHERE witness = $1
        """,
        witness,
        error,
    )


async def witness_states(db: Database, witnesses: Sequence[str]) -> dict[str, asyncpg.Record]:
    """Return what is known of witnesses, by key.

    Columns: known (the size that it signed last by its own account), failures, last_error; size and signed_at of its
    newest co-signature (null for none).
    """
    rows = await db.fetch(
        """
        SELECT w.witness, w.size AS known, w.failures, w.last_error, c.size, c.signed_at
        FROM journal_witness w LEFT JOIN LATERAL (
            SELECT size, signed_at FROM journal_cosignature WHERE witness = w.witness
            ORDER BY size DESC LIMIT 1) c ON true
        WHERE w.witness = ANY($1)
        """,
        list(witnesses),
    )
    return {row["witness"]: row for row in rows}
