"""SQL of signals: what is unusual in a decision, and what two operators made of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table, uuid7
from esante.services.incentives.decisions.model import Signal

SIGNAL = Table(
    "incentive_signal",
    Kind.LOCAL,
    {
        "signal_id": "uuid",
        "quarter": "text",
        "scheme": "text",
        "payee": "text",
        "provider_code": "text",
        "kind": "text",
        "part": "integer",
        "whole": "integer",
    },
)


def signal_row(quarter: str, signal: Signal) -> Row:
    """Return the row of a signal."""
    values = signal.scheme, signal.payee, signal.provider_code, signal.kind.value, signal.part, signal.whole
    return SIGNAL, (uuid7(), quarter, *values)


async def fetch_signals(
    db: Database | Connection, quarter: str, state: str, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return signals of a quarter and a state ("": any) by their ids."""
    rows = await db.fetch(
        "SELECT * FROM incentive_signal WHERE ($1 = '' OR quarter = $1) AND ($2 = '' OR state = $2)"
        " AND ($3::uuid IS NULL OR signal_id > $3) ORDER BY signal_id LIMIT $4",
        quarter,
        state,
        after,
        limit,
    )
    return [dict(row) for row in rows]


async def lock_signal(conn: Connection, signal_id: UUID) -> dict[str, Any] | None:
    """Return a signal, locked until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow("SELECT * FROM incentive_signal WHERE signal_id = $1 FOR UPDATE", signal_id)
    return dict(row) if row else None


async def propose(conn: Connection, signal_id: UUID, proposal: str, by: str, by_id: UUID) -> None:
    """Keep what a first operator proposes for a signal."""
    await conn.execute(
        "UPDATE incentive_signal SET proposal = $2, first_by = $3, first_by_id = $4 WHERE signal_id = $1",
        signal_id,
        proposal,
        by,
        by_id,
    )


async def settle(conn: Connection, signal_id: UUID, state: str, by: str, at: datetime) -> None:
    """Keep what two operators decided of a signal."""
    await conn.execute(
        "UPDATE incentive_signal SET state = $2, second_by = $3, decided_at = $4 WHERE signal_id = $1",
        signal_id,
        state,
        by,
        at,
    )


async def open_payees(conn: Connection, quarter: str) -> set[tuple[str, str]]:
    """Return the schemes and payees of a quarter with a signal that is open."""
    rows = await conn.fetch(
        "SELECT DISTINCT scheme, payee FROM incentive_signal WHERE quarter = $1 AND state = 'open'", quarter
    )
    return {(row[0], row[1]) for row in rows}


async def count_open_signals(db: Database) -> int:
    """Return how many signals wait for operators, in confirmed quarters and drafts."""
    return int(await db.fetchval("SELECT count(*) FROM incentive_signal WHERE state = 'open'"))
