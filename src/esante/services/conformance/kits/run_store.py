"""The SQL of runs and of links to their reports."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.conformance.kits.run_model import KeptRun, RunLink, RunState

RUN = Table(
    "conformance_run",
    Kind.LOCAL,
    {
        "run_id": "uuid",
        "vendor_id": "uuid",
        "kit": "text",
        "kit_version": "text",
        "target": "text",
        "options": "text",
        "state": "text",
        "done": "integer",
        "total": "integer",
        "started_at": "timestamptz",
        "beat_at": "timestamptz",
        "ended_at": "timestamptz",
        "passed": "boolean",
        "report": "text",
    },
)
LINK = Table(
    "conformance_run_link",
    Kind.LOCAL,
    {
        "link_id": "uuid",
        "run_id": "uuid",
        "code_hash": "bytea",
        "created_at": "timestamptz",
        "expires_at": "timestamptz",
        "revoked_at": "timestamptz",
    },
)
_LINK = "SELECT link_id, run_id, created_at, expires_at, revoked_at FROM conformance_run_link"


def run_row(run: KeptRun) -> Row:
    """Return the row of a run."""
    return RUN, (
        run.run_id,
        run.vendor_id,
        run.kit,
        run.kit_version,
        run.target,
        orjson.dumps(dict(run.options)).decode(),
        run.state.value,
        run.done,
        run.total,
        run.started_at,
        run.beat_at,
        run.ended_at,
        run.passed,
        run.report,
    )


def link_row(link: RunLink, code_hash: bytes) -> Row:
    """Return the row of a new link."""
    return LINK, (link.link_id, link.run_id, code_hash, link.created_at, link.expires_at, link.revoked_at)


async def find_run(db: Database | Connection, run_id: UUID) -> KeptRun | None:
    """Return a run, or None."""
    row = await db.fetchrow("SELECT * FROM conformance_run WHERE run_id = $1", run_id)
    return _run(row) if row else None


async def search(
    db: Database, vendor_id: UUID, words: Sequence[str], before: UUID | None, limit: int
) -> list[KeptRun]:
    """Return the newest runs of a vendor, without reports, with every word in kit or target, before a run."""
    rows = await db.fetch(
        """
        SELECT run_id, vendor_id, kit, kit_version, target, options, state, done, total, started_at, beat_at, ended_at,
            passed FROM conformance_run
        WHERE vendor_id = $1 AND ($2::uuid IS NULL OR run_id < $2)
          AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', kit, target))) = 0)
        ORDER BY run_id DESC LIMIT $4
        """,
        vendor_id,
        before,
        list(words),
        limit,
    )
    return [_run(row) for row in rows]


async def passed_runs(db: Database, vendor_id: UUID, since: datetime) -> list[KeptRun]:
    """Return the runs of a vendor that passed and ended since a moment, newest first, without reports."""
    rows = await db.fetch(
        """
        SELECT run_id, vendor_id, kit, kit_version, target, options, state, done, total, started_at, beat_at, ended_at,
            passed FROM conformance_run
        WHERE vendor_id = $1 AND passed AND ended_at >= $2 ORDER BY run_id DESC LIMIT 50
        """,
        vendor_id,
        since,
    )
    return [_run(row) for row in rows]


async def write_progress(db: Database, run_id: UUID, done: int, now: datetime) -> None:
    """Write how far a run is, and that its process runs."""
    await db.fetch(
        "UPDATE conformance_run SET done = $2, beat_at = $3 WHERE run_id = $1 AND state = 'running'", run_id, done, now
    )


async def write_end(conn: Connection, run: KeptRun) -> bool:
    """Write the end of a run that runs; return False when it was taken for interrupted meanwhile."""
    found = await conn.fetchval(
        "UPDATE conformance_run SET state = $2, done = $3, ended_at = $4, passed = $5, report = $6"
        " WHERE run_id = $1 AND state = 'running' RETURNING run_id",
        run.run_id,
        run.state.value,
        run.done,
        run.ended_at,
        run.passed,
        run.report,
    )
    return found is not None


async def interrupt_silent(db: Database, before: datetime) -> None:
    """Mark the runs as interrupted whose process was not heard of since a moment."""
    await db.fetch(
        "UPDATE conformance_run SET state = 'interrupted', ended_at = beat_at"
        " WHERE state = 'running' AND beat_at < $1",
        before,
    )


async def fetch_links(db: Database, run_id: UUID) -> list[RunLink]:
    """Return the links to a report, newest first."""
    return [RunLink(**row) for row in await db.fetch(f"{_LINK} WHERE run_id = $1 ORDER BY link_id DESC", run_id)]


async def find_link(db: Database, code_hash: bytes) -> RunLink | None:
    """Return the link whose code has a SHA-256, or None."""
    row = await db.fetchrow(f"{_LINK} WHERE code_hash = $1", code_hash)
    return RunLink(**row) if row else None


async def revoke_link(conn: Connection, run_id: UUID, link_id: UUID, now: datetime) -> bool:
    """Revoke a link of a run; return whether there was one that was not revoked."""
    found = await conn.fetchval(
        "UPDATE conformance_run_link SET revoked_at = $3"
        " WHERE link_id = $1 AND run_id = $2 AND revoked_at IS NULL RETURNING link_id",
        link_id,
        run_id,
        now,
    )
    return found is not None


def _run(row: Any) -> KeptRun:
    return KeptRun(**{**row, "options": orjson.loads(row["options"]), "state": RunState(row["state"])})
