"""The SQL of vintages and releases.

Only `fetch_protected_cells` returns exact values, for disclosure control and its audit; all else is published.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from esante.core.storage import Connection, Database, Row, sha256
from esante.services.bulletin.model import (
    Cell,
    CellFlag,
    DataAnomaly,
    ProtectedCell,
    Release,
    ReleaseState,
    Vintage,
    VintageStatus,
)
from esante.services.bulletin.store import CELL, FINDING, RELEASE, VINTAGE


class VintageRecord(NamedTuple):
    """How a vintage was made (a row of `bulletin_vintage`).

    `seq`: the last leaf of the journal that it saw; `source`: the digest of its lake files; `recipe`: the object with
    its specification; `digest`: the SHA-256 of its published cells.
    """

    period: str
    number: int
    as_of: datetime
    status: VintageStatus
    method: int
    reason: str
    seq: int
    source: bytes
    recipe: bytes
    digest: bytes


def digest_of(vintage: Vintage) -> bytes:
    """Return the SHA-256 of a vintage's JSON, with the fields in their declared order."""
    return sha256(msgspec.json.encode(vintage))


def vintage_rows(
    record: VintageRecord, cells: Sequence[ProtectedCell], anomalies: Sequence[DataAnomaly], built_by: str
) -> list[Row]:
    """Return the rows of a new vintage, in the state built."""
    key = record.period, record.number
    found: list[Row] = [(VINTAGE, tuple(record)), (RELEASE, (*key, ReleaseState.BUILT.value, built_by))]
    for place, (cell, exact, required_width) in enumerate(cells):
        exact_value = None if exact is None else float(exact)
        value = None if cell.value is None else float(cell.value)
        found.append((CELL, (*key, place, *cell.series_key, value, cell.flag.value, exact_value, required_width)))
    found += [(FINDING, (*key, a.code, a.subject, a.found, a.expected, a.serious)) for a in anomalies]
    return found


async def fetch_latest_records(db: Database) -> dict[str, VintageRecord]:
    """Return the record of the newest vintage of each month, in any state."""
    found = await db.fetch("SELECT DISTINCT ON (period) * FROM bulletin_vintage ORDER BY period, number DESC")
    return {row["period"]: _record(row) for row in found}


async def fetch_record(db: Database, period: str, number: int) -> VintageRecord | None:
    """Return the record of a vintage, or None."""
    row = await db.fetchrow("SELECT * FROM bulletin_vintage WHERE period = $1 AND number = $2", period, number)
    return _record(row) if row else None


async def fetch_vintage(db: Database, period: str, number: int) -> Vintage | None:
    """Return a vintage in any state, or None."""
    record = await fetch_record(db, period, number)
    if record is None:
        return None
    cells = await db.fetch(
        """
        SELECT indicator, period, breakdown, value_of, value, flag FROM bulletin_cell
        WHERE period = $1 AND number = $2 ORDER BY place
        """,
        period,
        number,
    )
    return make_vintage(record, [_cell(row) for row in cells])


def make_vintage(record: VintageRecord, cells: Sequence[Cell]) -> Vintage:
    """Return the vintage of a record with its published cells."""
    return Vintage(
        period=record.period,
        number=record.number,
        as_of=record.as_of,
        status=record.status,
        method=record.method,
        reason=record.reason,
        cells=tuple(cells),
    )


async def fetch_latest(db: Database, period: str, *, including: str = "released") -> Vintage | None:
    """Return the newest released vintage of a month, or with `including="draft"` the newest of all; None if none."""
    number = await db.fetchval(
        """
        SELECT max(number) FROM bulletin_release WHERE period = $1 AND ($2 OR state = 'released')
        """,
        period,
        including == "draft",
    )
    return None if number is None else await fetch_vintage(db, period, number)


async def fetch_series(
    db: Database, indicator: str, breakdown: str = "", until: str | None = None, *, including: str = "released"
) -> list[tuple[str, int, Cell]]:
    """Return a series (or all categories of a breakdown) up to a month: (period, number of vintage, cell)."""
    found = await db.fetch(
        """
        SELECT c.period, c.number, c.indicator, c.breakdown, c.value_of, c.value, c.flag
        FROM bulletin_cell c JOIN (
            SELECT period, max(number) AS number FROM bulletin_release WHERE $4 OR state = 'released' GROUP BY period
        ) r USING (period, number)
        WHERE c.indicator = $1 AND c.breakdown = $2 AND ($3::text IS NULL OR c.period <= $3)
        ORDER BY c.period, c.place
        """,
        indicator,
        breakdown,
        until,
        including == "draft",
    )
    return [(row["period"], row["number"], _cell(row)) for row in found]


async def fetch_releases(db: Database) -> list[Release]:
    """Return the state of every vintage, by month and number."""
    found = await db.fetch("SELECT * FROM bulletin_release ORDER BY period, number")
    return [msgspec.convert(dict(row), Release) for row in found]


async def fetch_released(db: Database) -> list[Release]:
    """Return the released vintages, by month and number."""
    return [release for release in await fetch_releases(db) if release.state is ReleaseState.RELEASED]


async def fetch_stamp(db: Database) -> tuple[int, int, datetime | None]:
    """Return the number of released vintages, the number of archived forecasts, and the time of the newest release."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS count, max(released_at) AS newest, (SELECT count(*) FROM bulletin_projection) AS frozen
        FROM bulletin_release WHERE state = 'released'
        """
    )
    return (row["count"], row["frozen"], row["newest"]) if row else (0, 0, None)


async def fetch_protected_cells(db: Database, period: str, number: int) -> list[ProtectedCell]:
    """Return the cells of a vintage with their exact values and required widths, which are never published."""
    found = await db.fetch(
        "SELECT * FROM bulletin_cell WHERE period = $1 AND number = $2 ORDER BY place", period, number
    )
    return [ProtectedCell(_cell(row), row["exact"], row["guarded"]) for row in found]


async def fetch_anomalies(db: Database, period: str, number: int) -> list[DataAnomaly]:
    """Return the anomalies in the data of a vintage, serious ones first."""
    found = await db.fetch(
        """
        SELECT period, code, subject, found, expected, serious, acknowledged_by, note FROM bulletin_finding
        WHERE period = $1 AND number = $2 ORDER BY serious DESC, code, subject
        """,
        period,
        number,
    )
    return [msgspec.convert(dict(row), DataAnomaly) for row in found]


async def acknowledge_anomaly(
    conn: Connection, period: str, number: int, code: str, subject: str, by: str, note: str
) -> bool:
    """Store who acknowledged an anomaly; return False when there is no such anomaly."""
    done = await conn.fetchval(
        """
        UPDATE bulletin_finding SET acknowledged_by = $5, note = $6
        WHERE period = $1 AND number = $2 AND code = $3 AND subject = $4 RETURNING true
        """,
        period,
        number,
        code,
        subject,
        by,
        note,
    )
    return bool(done)


async def move_release(
    conn: Connection,
    release: Release,
    state: ReleaseState,
    *,
    by: str = "",
    embargo_until: datetime | None = None,
    at: datetime | None = None,
) -> bool:
    """Move a release from its known state to another; return False when it is in another state meanwhile."""
    done = await conn.fetchval(
        """
        UPDATE bulletin_release SET state = $4, released_by = CASE WHEN $5 = '' THEN released_by ELSE $5 END,
            embargo_until = coalesce($6, embargo_until), released_at = $7
        WHERE period = $1 AND number = $2 AND state = $3 RETURNING true
        """,
        release.period,
        release.number,
        release.state.value,
        state.value,
        by,
        embargo_until,
        at,
    )
    return bool(done)


def _record(row: asyncpg.Record) -> VintageRecord:
    fields = dict(row)
    return VintageRecord(**fields | {"status": VintageStatus(fields["status"])})


def _cell(row: asyncpg.Record) -> Cell:
    value = row["value"]
    # Counts are integers; other values (shares) are stored rounded.
    if value is not None and value.is_integer():
        value = int(value)
    return Cell(row["indicator"], row["period"], row["breakdown"], row["value_of"], value, CellFlag(row["flag"]))
