"""The SQL of recoveries of accounts."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.signin.model import Recovery, RecoveryState

RECOVERY = Table(
    "signin_recovery",
    Kind.LOCAL,
    {
        "recovery_id": "uuid",
        "holder_kind": "text",
        "holder_id": "uuid",
        "holder": "text",
        "reason": "text",
        "state": "text",
        "asked_at": "timestamptz",
        "asked_by": "uuid",
        "asker": "text",
        "decided_at": "timestamptz",
        "decider": "text",
    },
)
_SELECT = """
    SELECT recovery_id, holder_kind, holder_id, holder, reason, state, asked_at, asked_by, asker, decided_at, decider
    FROM signin_recovery
"""


def recovery_row(recovery: Recovery) -> Row:
    """Return the row of a recovery."""
    return RECOVERY, tuple(getattr(recovery, column) for column in RECOVERY.columns)


async def lock_recovery(conn: Connection, recovery_id: UUID) -> Recovery | None:
    """Return a recovery, locked until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow(f"{_SELECT} WHERE recovery_id = $1 FOR UPDATE", recovery_id)
    return _recovery(row) if row else None


async def search(db: Database, words: Sequence[str], state: str, before: UUID | None, limit: int) -> list[Recovery]:
    """Return the newest recoveries of a state ("" for any) with every word in name or reason, before one."""
    rows = await db.fetch(
        f"""
        {_SELECT} WHERE ($1 = '' OR state = $1) AND ($2::uuid IS NULL OR recovery_id < $2)
          AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', holder, reason, asker))) = 0)
        ORDER BY recovery_id DESC LIMIT $4
        """,
        state,
        before,
        list(words),
        limit,
    )
    return [_recovery(row) for row in rows]


async def count_open(db: Database, most: int) -> int:
    """Return how many recoveries wait for their second operator; at most `most`."""
    found: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM signin_recovery WHERE state = 'open' LIMIT $1) AS waiting", most
    )
    return found


async def decide(conn: Connection, recovery_id: UUID, state: RecoveryState, at: datetime, by: UUID, name: str) -> None:
    """Write the decision about a recovery."""
    await conn.execute(
        "UPDATE signin_recovery SET state = $2, decided_at = $3, decided_by = $4, decider = $5 WHERE recovery_id = $1",
        recovery_id,
        state.value,
        at,
        by,
        name,
    )


def _recovery(row: asyncpg.Record) -> Recovery:
    return Recovery(**dict(row) | {"state": RecoveryState(row["state"])})
