"""SQL of decisions: runs and lines."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.incentives.decisions.model import (
    KeptLine,
    Line,
    LineKey,
    PayeeKind,
    Reason,
    Run,
    RunState,
)
from esante.services.incentives.schemes.quarter import Quarter

LINE = Table(
    "incentive_line",
    Kind.LOCAL,
    {
        "line_id": "uuid",
        "quarter": "text",
        "of_quarter": "text",
        "scheme": "text",
        "row_from": "date",
        "payee_kind": "text",
        "payee": "text",
        "payee_name": "text",
        "provider_code": "text",
        "product": "text",
        "claim_id": "uuid",
        "appeal_id": "uuid",
        "documents": "integer",
        "uncounted": "integer",
        "withdrawn": "integer",
        "amount": "numeric",
        "reasons": "text",
    },
)
RUN = Table(
    "incentive_run",
    Kind.LOCAL,
    {
        "quarter": "text",
        "state": "text",
        "asked_at": "timestamptz",
        "asked_by": "text",
        "asked_by_id": "uuid",
        "done": "integer",
        "total": "integer",
        "taken_until": "timestamptz",
        "error": "text",
        "upto_seq": "bigint",
        "decided_at": "timestamptz",
        "confirmed_at": "timestamptz",
        "confirmed_by": "text",
        "confirmed_by_id": "uuid",
    },
)
_RUN = (
    "SELECT quarter, state, asked_at, asked_by, asked_by_id, done, total, error, upto_seq, decided_at, confirmed_at,"
    " confirmed_by FROM incentive_run"
)
_LINE = f"SELECT {', '.join(f'l.{name}' for name in LINE.columns)} FROM incentive_line l"  # noqa: S608 - declared
_COUNTS = "JOIN incentive_run r ON r.quarter = l.quarter AND r.state = 'confirmed'"
_NOT_REFUSED = (
    "NOT (l.amount > 0 AND EXISTS (SELECT FROM incentive_signal s"
    " WHERE (s.quarter, s.scheme, s.payee) = (l.quarter, l.scheme, l.payee) AND s.state = 'refused'))"
)
"""What two operators refused to pay counts as nothing; what is owed back stays owed."""


def line_row(kept: KeptLine) -> Row:
    """Return the row of a line."""
    line = kept.line
    return LINE, (
        kept.line_id,
        kept.quarter,
        str(line.of_quarter),
        *line.scheme,
        line.payee_kind.value,
        line.payee,
        kept.payee_name,
        line.provider_code,
        line.product,
        line.claim_id,
        line.appeal_id,
        line.documents,
        line.uncounted,
        line.withdrawn,
        line.amount,
        " ".join(one.value for one in line.reasons),
    )


async def lock_runs(conn: Connection) -> None:
    """Let nobody else change the decisions until the end of the transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('incentive decisions', 0))")


async def fetch_run(db: Database | Connection, quarter: str) -> Run | None:
    """Return the run of a quarter, or None."""
    row = await db.fetchrow(f"{_RUN} WHERE quarter = $1", quarter)
    return _run(row) if row else None


async def fetch_runs(db: Database, before: str | None, limit: int) -> list[Run]:
    """Return runs, the newest quarter first."""
    rows = await db.fetch(f"{_RUN} WHERE $1 = '' OR quarter < $1 ORDER BY quarter DESC LIMIT $2", before or "", limit)
    return [_run(row) for row in rows]


async def last_run(db: Database | Connection) -> Run | None:
    """Return the run of the newest quarter, or None."""
    row = await db.fetchrow(f"{_RUN} ORDER BY quarter DESC LIMIT 1")
    return _run(row) if row else None


async def ask(conn: Connection, quarter: str, at: datetime, by: str, by_id: UUID) -> None:
    """Let a quarter be decided, again where it was not confirmed."""
    await conn.execute(
        "INSERT INTO incentive_run (quarter, state, asked_at, asked_by, asked_by_id)"
        " VALUES ($1, 'running', $2, $3, $4) ON CONFLICT (quarter) DO UPDATE"
        " SET state = 'running', asked_at = $2, asked_by = $3, asked_by_id = $4,"
        " done = 0, error = '', taken_until = NULL WHERE incentive_run.state = 'draft'",
        quarter,
        at,
        by,
        by_id,
    )


async def take(db: Database, now: datetime, until: datetime) -> Run | None:
    """Return the run that waits to be worked out, taken for a time; None when there is none."""
    async with db.transaction() as conn:
        row = await conn.fetchrow(
            "UPDATE incentive_run SET taken_until = $2 WHERE quarter = (SELECT quarter FROM incentive_run"
            " WHERE state = 'running' AND error = '' AND (taken_until IS NULL OR taken_until <= $1)"
            " ORDER BY quarter LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING quarter",
            now,
            until,
        )
    return await fetch_run(db, row["quarter"]) if row else None


async def note_progress(db: Database, quarter: str, done: int, total: int) -> None:
    """Keep how far a run is."""
    async with db.transaction() as conn:
        await conn.execute("UPDATE incentive_run SET done = $2, total = $3 WHERE quarter = $1", quarter, done, total)


async def fail(db: Database, quarter: str, error: str) -> None:
    """Keep that a run failed; an operator asks for it again."""
    async with db.transaction() as conn:
        await conn.execute(
            "UPDATE incentive_run SET error = $2, state = 'draft', taken_until = NULL WHERE quarter = $1",
            quarter,
            error,
        )


async def clear_draft(conn: Connection, quarter: str) -> bool:
    """Delete what a run held that is being worked out; False when it is not, and nothing was deleted."""
    running = await conn.fetchval(
        "SELECT TRUE FROM incentive_run WHERE quarter = $1 AND state = 'running' FOR UPDATE", quarter
    )
    if running:
        await conn.execute("DELETE FROM incentive_line WHERE quarter = $1", quarter)
        await conn.execute("DELETE FROM incentive_signal WHERE quarter = $1", quarter)
    return bool(running)


async def finish(conn: Connection, quarter: str, upto_seq: int, at: datetime) -> None:
    """Let a run be a draft that somebody may confirm."""
    await conn.execute(
        "UPDATE incentive_run SET state = 'draft', upto_seq = $2, decided_at = $3, done = total, taken_until = NULL,"
        " error = '' WHERE quarter = $1",
        quarter,
        upto_seq,
        at,
    )


async def confirm(conn: Connection, quarter: str, at: datetime, by: str, by_id: UUID) -> bool:
    """Confirm a draft; False when it is none, or somebody confirms their own."""
    status = await conn.execute(
        "UPDATE incentive_run SET state = 'confirmed', confirmed_at = $2, confirmed_by = $3, confirmed_by_id = $4"
        " WHERE quarter = $1 AND state = 'draft' AND error = '' AND asked_by_id <> $4",
        quarter,
        at,
        by,
        by_id,
    )
    return bool(status.endswith(" 1"))


async def last_confirmed_seq(db: Database, before: str) -> int:
    """Return the leaf of the journal up to which the last confirmed quarter before one looked; 0: there is none."""
    sql = "SELECT coalesce(max(upto_seq), 0) FROM incentive_run WHERE state = 'confirmed' AND quarter < $1"
    return int(await db.fetchval(sql, before))


async def decided_amounts(db: Database, before: str, codes: Sequence[str] | None = None) -> dict[LineKey, Decimal]:
    """Return what confirmed quarters before one gave, by key, for the evidence of professionals (None: of all).

    What two operators refused to pay counts as nothing.
    """
    rows = await db.fetch(
        "SELECT l.scheme, l.row_from, l.of_quarter, l.provider_code, l.payee, l.product, l.claim_id, sum(l.amount)"  # noqa: S608 - constants
        f" FROM incentive_line l {_COUNTS} WHERE l.quarter < $1 AND {_NOT_REFUSED}"
        " AND ($2::text[] IS NULL OR l.provider_code = ANY($2))"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7 HAVING sum(l.amount) <> 0",
        before,
        None if codes is None else [*codes],
    )
    return {LineKey((row[0], row[1]), Quarter.parse(row[2]), *row[3:7]): row[7] for row in rows}


async def fetch_lines(
    db: Database | Connection,
    quarter: str,
    text: str = "",
    after: UUID | None = None,
    limit: int = 1_000_000,
    *,
    only_paid: bool = False,
) -> list[KeptLine]:
    """Return lines of a quarter by their ids; `text`: a part of a code, a name, a product or a scheme."""
    rows = await db.fetch(
        f"{_LINE} WHERE l.quarter = $1 AND ($2 = '' OR position(lower($2) IN lower(concat_ws(' ', l.provider_code,"
        " l.payee, l.payee_name, l.product, l.scheme, l.reasons))) > 0) AND ($3::uuid IS NULL OR l.line_id > $3)"
        " AND (NOT $5 OR l.amount <> 0) ORDER BY l.line_id LIMIT $4",
        quarter,
        text,
        after,
        limit,
        only_paid,
    )
    return [_line(row) for row in rows]


async def fetch_line(db: Database | Connection, line_id: UUID) -> KeptLine | None:
    """Return a line, or None."""
    row = await db.fetchrow(f"{_LINE} WHERE l.line_id = $1", line_id)
    return _line(row) if row else None


async def fetch_lines_of(
    db: Database, codes: Sequence[str], payees: Sequence[str], text: str, before: UUID | None, limit: int
) -> list[KeptLine]:
    """Return the confirmed lines for the evidence of professionals (`codes`), or to `payees`, the newest first.

    `text`: a part of a quarter, a scheme, a product or a code.
    """
    rows = await db.fetch(
        f"{_LINE} {_COUNTS} WHERE (l.provider_code = ANY($1) AND l.payee_kind = 'provider' OR l.payee = ANY($2))"
        " AND ($3::uuid IS NULL OR l.line_id < $3) AND ($5 = '' OR position(lower($5) IN"
        " lower(concat_ws(' ', l.quarter, l.scheme, l.product, l.provider_code))) > 0)"
        " ORDER BY l.line_id DESC LIMIT $4",
        [*codes],
        [*payees],
        before,
        limit,
        text,
    )
    return [_line(row) for row in rows]


async def sum_by_quarter(db: Database, codes: Sequence[str], payees: Sequence[str]) -> list[tuple[str, Decimal, int]]:
    """Return what confirmed quarters gave professionals or payees, with the documents, the oldest quarter first."""
    rows = await db.fetch(
        f"SELECT l.quarter, sum(l.amount), sum(l.documents)::bigint FROM incentive_line l {_COUNTS}"  # noqa: S608 - constants
        " WHERE (l.provider_code = ANY($1) AND l.payee_kind = 'provider' OR l.payee = ANY($2)) GROUP BY 1 ORDER BY 1",
        [*codes],
        [*payees],
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def sum_of_quarter(db: Database, quarter: str) -> tuple[int, int, Decimal]:
    """Return how many lines a quarter has, how many of them pay or take something, and their sum."""
    row = await db.fetchrow(
        "SELECT count(*), count(*) FILTER (WHERE amount <> 0), coalesce(sum(amount), 0) FROM incentive_line"
        " WHERE quarter = $1",
        quarter,
    )
    assert row is not None
    return int(row[0]), int(row[1]), Decimal(row[2])


async def sum_by_scheme(db: Database) -> list[tuple[str, date, str, Decimal, int, list[str]]]:
    """Return what each row of a scheme gave in each confirmed quarter.

    Each with scheme, first day, quarter, euros, documents, payees. The payees are those who got something.
    """
    rows = await db.fetch(
        "SELECT l.scheme, l.row_from, l.quarter, sum(l.amount), sum(l.documents)::bigint,"  # noqa: S608 - constants
        " coalesce(array_agg(DISTINCT l.payee) FILTER (WHERE l.amount > 0), '{}')"
        f" FROM incentive_line l {_COUNTS} WHERE {_NOT_REFUSED} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows]


def _run(row: Any) -> Run:
    return Run(**{**row, "state": RunState(row["state"])})


def _line(row: Any) -> KeptLine:
    line = Line(
        scheme=(row["scheme"], row["row_from"]),
        of_quarter=Quarter.parse(row["of_quarter"]),
        payee_kind=PayeeKind(row["payee_kind"]),
        payee=row["payee"],
        provider_code=row["provider_code"],
        product=row["product"],
        documents=row["documents"],
        uncounted=row["uncounted"],
        withdrawn=row["withdrawn"],
        amount=row["amount"],
        reasons=tuple(Reason(one) for one in row["reasons"].split()),
        claim_id=row["claim_id"],
        appeal_id=row["appeal_id"],
    )
    return KeptLine(line_id=row["line_id"], quarter=row["quarter"], payee_name=row["payee_name"], line=line)
