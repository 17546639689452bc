"""SQL of appeals."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.incentives.appeals.model import Appeal
from esante.services.incentives.decisions.model import LineKey, PayeeKind, Upheld
from esante.services.incentives.schemes.quarter import Quarter

APPEAL = Table(
    "incentive_appeal",
    Kind.LOCAL,
    {
        "appeal_id": "uuid",
        "line_id": "uuid",
        "reference": "text",
        "text": "text",
        "made_at": "timestamptz",
        "made_by": "text",
        "made_by_id": "uuid",
        "due_on": "date",
    },
)
_APPEAL = (
    "SELECT appeal_id, line_id, reference, text, made_at, made_by, made_by_id, due_on, outcome, answer, amount,"
    " answered_at, answered_by, read_at FROM incentive_appeal"
)


def appeal_row(appeal: Appeal) -> Row:
    """Return the row of a new appeal."""
    return APPEAL, tuple(getattr(appeal, name) for name in APPEAL.columns)


async def fetch_of_lines(db: Database, lines: Sequence[UUID]) -> dict[UUID, Appeal]:
    """Return the appeals against lines, by line."""
    rows = await db.fetch(f"{_APPEAL} WHERE line_id = ANY($1)", [*lines])
    return {row["line_id"]: _appeal(row) for row in rows}


async def fetch_page(db: Database, text: str, *, is_open: bool, after: UUID | None, limit: int) -> list[Appeal]:
    """Return appeals that are open, or answered; `text`: a part of the number or the name."""
    rows = await db.fetch(
        f"{_APPEAL} WHERE (outcome = '') = $1 AND ($2 = '' OR position(lower($2) IN lower(concat_ws(' ', reference,"
        " made_by))) > 0) AND ($3::uuid IS NULL OR appeal_id > $3) ORDER BY appeal_id LIMIT $4",
        is_open,
        text,
        after,
        limit,
    )
    return [_appeal(row) for row in rows]


async def fetch(db: Database | Connection, appeal_id: UUID, *, lock: bool = False) -> Appeal | None:
    """Return an appeal, locked where that is asked for; None for an unknown one."""
    row = await db.fetchrow(f"{_APPEAL} WHERE appeal_id = $1{' FOR UPDATE' if lock else ''}", appeal_id)
    return _appeal(row) if row else None


async def answer(
    conn: Connection, appeal_id: UUID, outcome: str, text: str, amount: Decimal, at: datetime, by: str
) -> None:
    """Keep the answer to an appeal."""
    await conn.execute(
        "UPDATE incentive_appeal SET outcome = $2, answer = $3, amount = $4, answered_at = $5, answered_by = $6"
        " WHERE appeal_id = $1",
        appeal_id,
        outcome,
        text,
        amount,
        at,
        by,
    )


async def mark_read(db: Database, made_by_id: UUID, at: datetime) -> None:
    """Keep that somebody has read the answers to their appeals."""
    async with db.transaction() as conn:
        await conn.execute(
            "UPDATE incentive_appeal SET read_at = $2 WHERE made_by_id = $1 AND outcome <> '' AND read_at IS NULL",
            made_by_id,
            at,
        )


async def count_unread(db: Database, made_by_id: UUID) -> int:
    """Return how many answers somebody has not read."""
    sql = "SELECT count(*) FROM incentive_appeal WHERE made_by_id = $1 AND outcome <> '' AND read_at IS NULL"
    return int(await db.fetchval(sql, made_by_id))


async def count_open(db: Database) -> int:
    """Return how many appeals wait for an answer."""
    return int(await db.fetchval("SELECT count(*) FROM incentive_appeal WHERE outcome = ''"))


async def fetch_upheld(db: Database, before: str, answered_by: datetime) -> list[Upheld]:
    """Return the appeals against lines of earlier quarters, upheld by a moment, that no earlier quarter paid."""
    rows = await db.fetch(
        "SELECT a.appeal_id, a.amount, l.scheme, l.row_from, l.of_quarter, l.provider_code, l.payee, l.product,"
        " l.claim_id, l.payee_kind FROM incentive_appeal a JOIN incentive_line l USING (line_id)"
        " WHERE a.outcome = 'upheld' AND a.amount > 0 AND l.quarter < $1 AND a.answered_at <= $2"
        " AND NOT EXISTS (SELECT FROM incentive_line p JOIN incentive_run r ON r.quarter = p.quarter"
        " AND r.state = 'confirmed' WHERE p.appeal_id = a.appeal_id AND p.quarter < $1) ORDER BY a.appeal_id",
        before,
        answered_by,
    )
    return [
        Upheld(
            row["appeal_id"],
            LineKey(
                (row["scheme"], row["row_from"]),
                Quarter.parse(row["of_quarter"]),
                row["provider_code"],
                row["payee"],
                row["product"],
                row["claim_id"],
            ),
            PayeeKind(row["payee_kind"]),
            row["amount"],
        )
        for row in rows
    ]


def _appeal(row: Any) -> Appeal:
    return Appeal(**row)
