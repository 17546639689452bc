"""The SQL of extractions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.lake.model import Extraction, ExtractionState

EXTRACTION = Table(
    "research_extraction",
    Kind.LOCAL,
    {
        "extraction_id": "uuid",
        "permit_id": "uuid",
        "state": "text",
        "place": "uuid",
        "parts": "integer",
        "persons_done": "bigint",
        "persons_total": "bigint",
        "persons": "bigint",
        "rows": "bigint",
        "left_out": "bigint",
        "failures": "integer",
        "failure": "text",
        "started_by": "text",
        "started_at": "timestamptz",
        "as_of": "timestamptz",
        "ended_at": "timestamptz",
    },
)
_COLUMNS = ", ".join(EXTRACTION.columns)


def extraction_row(extraction: Extraction) -> Row:
    """Return the row of an extraction that begins."""
    return EXTRACTION, tuple(getattr(extraction, name) for name in EXTRACTION.columns)


async def fetch_latest(db: Database | Connection, permit_id: UUID) -> list[Extraction]:
    """Return the last extractions of a permit, the latest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM research_extraction WHERE permit_id = $1 ORDER BY extraction_id DESC LIMIT 10",  # noqa: S608
        permit_id,
    )
    return [_extraction(row) for row in rows]


async def fetch_of_state(db: Database | Connection, state: ExtractionState) -> list[Extraction]:
    """Return the extractions of a state, the oldest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM research_extraction WHERE state = $1 ORDER BY extraction_id",  # noqa: S608
        state,
    )
    return [_extraction(row) for row in rows]


async def lock_next(conn: Connection, now: datetime) -> Extraction | None:
    """Return the extraction that waited longest, locked; None where none is due or free."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM research_extraction WHERE state = 'running' AND turn_at <= $1"  # noqa: S608
        " ORDER BY turn_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        now,
    )
    return _extraction(row) if row else None


async def lock_extraction(conn: Connection, extraction_id: UUID) -> Extraction | None:
    """Return an extraction, locked; None where there is none."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM research_extraction WHERE extraction_id = $1 FOR UPDATE",  # noqa: S608
        extraction_id,
    )
    return _extraction(row) if row else None


async def update(conn: Connection, extraction: Extraction, turn_at: datetime) -> None:
    """Store the progress or the end of an extraction; `turn_at`: when it is next worked on."""
    values = [getattr(extraction, name) for name in EXTRACTION.columns]
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(EXTRACTION.columns, 1))
    await conn.execute(
        f"UPDATE research_extraction SET {sets}, turn_at = ${len(values) + 1} WHERE extraction_id = $1",  # noqa: S608
        *values,
        turn_at,
    )


def _extraction(row: Any) -> Extraction:
    return Extraction(**{**row, "state": ExtractionState(row["state"])})
