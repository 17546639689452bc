"""The SQL of measurements."""

from collections.abc import Mapping
from typing import Any

import msgspec

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.catalogue.model import Measurement, TableFigures

MEASUREMENT = Table(
    "research_measurement",
    Kind.LOCAL,
    {
        "measurement_id": "uuid",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
        "place": "uuid",
        "persons_done": "bigint",
        "persons_total": "bigint",
        "persons": "bigint",
        "figures": "jsonb",
    },
)


def measurement_row(one: Measurement) -> Row:
    """Return the row of a measurement that begins."""
    return MEASUREMENT, (
        one.measurement_id,
        one.started_at,
        one.ended_at,
        one.place,
        one.persons_done,
        one.persons_total,
        one.persons,
        _encode(one.figures),
    )


async def find_latest(db: Database | Connection) -> Measurement | None:
    """Return the last measurement that has ended, or None."""
    row = await db.fetchrow(
        "SELECT * FROM research_measurement WHERE ended_at IS NOT NULL ORDER BY measurement_id DESC LIMIT 1"
    )
    return _measurement(row) if row else None


async def find_running(db: Database | Connection) -> Measurement | None:
    """Return the measurement that is being made, or None."""
    row = await db.fetchrow("SELECT * FROM research_measurement WHERE ended_at IS NULL")
    return _measurement(row) if row else None


async def lock_running(conn: Connection) -> Measurement | None:
    """Return the measurement that is being made, locked; None where there is none, or another process works on it."""
    row = await conn.fetchrow("SELECT * FROM research_measurement WHERE ended_at IS NULL FOR UPDATE SKIP LOCKED")
    return _measurement(row) if row else None


async def update(conn: Connection, one: Measurement) -> None:
    """Store the progress or the end of a measurement."""
    await conn.execute(
        "UPDATE research_measurement SET ended_at = $2, place = $3, persons_done = $4, persons = $5, figures = $6"
        " WHERE measurement_id = $1",
        one.measurement_id,
        one.ended_at,
        one.place,
        one.persons_done,
        one.persons,
        _encode(one.figures),
    )


async def delete_older(conn: Connection, one: Measurement) -> None:
    """Delete the measurements before one: the catalogue shows the last."""
    await conn.execute("DELETE FROM research_measurement WHERE measurement_id < $1", one.measurement_id)


def _encode(figures: Mapping[str, TableFigures]) -> str:
    return msgspec.json.encode(figures).decode()


def _measurement(row: Any) -> Measurement:
    figures = msgspec.json.decode(row["figures"], type=dict[str, TableFigures])
    return Measurement(**{**row, "figures": figures})


async def try_push_lock(conn: Connection) -> bool:
    """Try to take the lock of the push until the end of the transaction; return whether this process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('research_catalogue', 0))"))
