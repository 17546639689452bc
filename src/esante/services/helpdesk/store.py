"""The SQL of reports."""

from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.helpdesk.model import Report

REPORT = Table(
    "helpdesk_report",
    Kind.LOCAL,
    {
        "report_id": "uuid",
        "reference": "text",
        "at": "timestamptz",
        "kind": "text",
        "text": "text",
        "contact": "text",
        "page": "text",
        "language": "text",
        "reporter_id": "uuid",
        "reporter_kind": "text",
        "reporter": "text",
        "answer": "text",
        "answered_at": "timestamptz",
        "answered_by": "text",
    },
)
_REPORT = f"SELECT {', '.join(REPORT.columns)} FROM helpdesk_report"  # noqa: S608 - declared in code


def report_row(report: Report) -> Row:
    """Return the row of a report."""
    return REPORT, astuple(report)


async def search(
    db: Database, words: Sequence[str], kind: str, *, answered: bool, before: UUID | None, limit: int
) -> list[Report]:
    """Return reports that are answered, or open, newest first; each of `words` stands somewhere in them."""
    rows = await db.fetch(
        f"""
        {_REPORT} WHERE (answered_at IS NOT NULL) = $1 AND ($2::uuid IS NULL OR report_id < $2)
          AND ($3 = '' OR kind = $3)
          AND NOT EXISTS (SELECT FROM unnest($4::text[]) AS w (word) WHERE position(w.word IN
              lower(concat_ws(' ', reference, text, contact, page, reporter, answer))) = 0)
        ORDER BY report_id DESC LIMIT $5
        """,
        answered,
        before,
        kind,
        list(words),
        limit,
    )
    return [_report(row) for row in rows]


async def of_reporter(db: Database, reporter_id: UUID, before: UUID | None, limit: int) -> list[Report]:
    """Return the reports of somebody who was signed in, newest first."""
    rows = await db.fetch(
        f"{_REPORT} WHERE reporter_id = $1 AND ($2::uuid IS NULL OR report_id < $2) ORDER BY report_id DESC LIMIT $3",
        reporter_id,
        before,
        limit,
    )
    return [_report(row) for row in rows]


async def by_reference(db: Database, reference: str) -> Report | None:
    """Return the report with a reference, or None."""
    row = await db.fetchrow(f"{_REPORT} WHERE reference = $1", reference)
    return _report(row) if row else None


async def by_id(db: Database | Connection, report_id: UUID, *, lock: bool = False) -> Report | None:
    """Return a report, or None; with `lock` its row is locked until the end of the transaction."""
    row = await db.fetchrow(f"{_REPORT} WHERE report_id = $1" + (" FOR UPDATE" if lock else ""), report_id)
    return _report(row) if row else None


async def count_open(db: Database, most: int) -> int:
    """Return how many reports have no answer, counting no further than `most`."""
    count: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM helpdesk_report WHERE (answered_at IS NOT NULL) = false LIMIT $1) AS found",
        most,
    )
    return count


async def write_answer(conn: Connection, report_id: UUID, answer: str, at: datetime, by: str) -> None:
    """Write the answer to a report."""
    await conn.execute(
        "UPDATE helpdesk_report SET answer = $2, answered_at = $3, answered_by = $4 WHERE report_id = $1",
        report_id,
        answer,
        at,
        by,
    )


async def delete_old(conn: Connection, answered_before: datetime, sent_before: datetime) -> None:
    """Delete the reports that were answered before a moment, or sent before one and never answered."""
    await conn.execute(
        "DELETE FROM helpdesk_report WHERE answered_at < $1 OR (answered_at IS NULL AND at < $2)",
        answered_before,
        sent_before,
    )


def _report(row: asyncpg.Record) -> Report:
    return Report(**row)
