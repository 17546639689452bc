"""The SQL of tables that jobs handed over, and of their reviews."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.outputs.model import Output, OutputFinding, OutputState, OutputVerdict, Review

OUTPUT = Table(
    "research_output",
    Kind.LOCAL,
    {
        "output_id": "uuid",
        "job_id": "uuid",
        "permit_id": "uuid",
        "name": "text",
        "content": "bytea",
        "rows": "integer",
        "verdict": "text",
        "findings": "jsonb",
        "state": "text",
        "made_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)
REVIEW = Table(
    "research_output_review",
    Kind.LOCAL,
    {
        "output_id": "uuid",
        "reviewer_id": "uuid",
        "reviewer": "text",
        "released": "boolean",
        "reason": "text",
        "at": "timestamptz",
    },
)
_COLUMNS = ", ".join(OUTPUT.columns)


def output_row(output: Output) -> Row:
    """Return the row of a table that was handed over."""
    findings = msgspec.json.encode(output.findings).decode()
    return OUTPUT, tuple(findings if name == "findings" else getattr(output, name) for name in OUTPUT.columns)


def review_row(output_id: UUID, review: Review) -> Row:
    """Return the row of a review."""
    return REVIEW, (output_id, review.reviewer_id, review.reviewer, review.released, review.reason, review.at)


async def fetch_output(db: Database | Connection, output_id: UUID, *, lock: bool = False) -> Output | None:
    """Return a table, or None; with `lock` it is locked until the end of the transaction."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM research_output WHERE output_id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        output_id,
    )
    return _output(row) if row else None


async def fetch_of_jobs(db: Database | Connection, jobs: Sequence[UUID]) -> list[Output]:
    """Return what jobs handed over, in the order of its making."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM research_output WHERE job_id = ANY ($1::uuid[]) ORDER BY output_id",  # noqa: S608
        list(jobs),
    )
    return [_output(row) for row in rows]


async def fetch_page(db: Database, state: str, before: UUID | None, limit: int) -> list[Output]:
    """Return tables in a state ("" for any), the latest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM research_output WHERE ($1 = '' OR state = $1)"  # noqa: S608
        " AND ($2::uuid IS NULL OR output_id < $2) ORDER BY output_id DESC LIMIT $3",
        state,
        before,
        limit,
    )
    return [_output(row) for row in rows]


async def count_waiting(db: Database) -> int:
    """Return how many tables wait for somebody of the access body."""
    return int(await db.fetchval("SELECT count(*) FROM research_output WHERE state = 'waiting'"))


async def fetch_released_contents(conn: Database | Connection, permit_id: UUID) -> list[bytes]:
    """Return the tables that were released under a permit, the latest first."""
    rows = await conn.fetch(
        "SELECT content FROM research_output WHERE permit_id = $1 AND state = 'released' ORDER BY output_id DESC"
        " LIMIT 200",
        permit_id,
    )
    return [row["content"] for row in rows]


async def fetch_reviews(db: Database | Connection, output_id: UUID) -> list[Review]:
    """Return the reviews of a table, the first one first."""
    rows = await db.fetch(
        "SELECT reviewer_id, reviewer, released, reason, at FROM research_output_review WHERE output_id = $1"
        " ORDER BY at",
        output_id,
    )
    return [Review(**row) for row in rows]


async def set_state(conn: Connection, output_id: UUID, state: OutputState, at: datetime) -> None:
    """Store what became of a table."""
    await conn.execute(
        "UPDATE research_output SET state = $2, ended_at = $3 WHERE output_id = $1", output_id, state, at
    )


def _output(row: Any) -> Output:
    findings = tuple(OutputFinding(**one) for one in orjson.loads(row["findings"]))
    values = {"findings": findings, "verdict": OutputVerdict(row["verdict"]), "state": OutputState(row["state"])}
    return Output(**{**row, **values})
