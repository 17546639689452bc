"""The SQL of vintages and releases: what was counted, what of it is public.

Everything here that other modules show gives protected cells; only `guarded` gives exact ones, for the attacker.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from esante.core.storage import Connection, Database, Row, sha256
from esante.services.bulletin.model import Cell, Finding, Flag, Guarded, Release, ReleaseState, Vintage, VintageStatus
from esante.services.bulletin.store import CELL, FINDING, RELEASE, VINTAGE


class Made(NamedTuple):
    """How a vintage was made: the last leaf it saw, the months' files, the recipe, the SHA-256 of its figures."""

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
    """The SHA-256 of a vintage's bytes: its JSON with the fields in their declared order."""
    return sha256(msgspec.json.encode(vintage))


def rows(made: Made, cells: Sequence[Guarded], findings: Sequence[Finding], built_by: str) -> list[Row]:
    """The rows of a new vintage."""
    key = made.period, made.number
    found: list[Row] = [(VINTAGE, tuple(made)), (RELEASE, (*key, ReleaseState.BUILT.value, built_by))]
    for place, (cell, exact, need) in enumerate(cells):
        known = None if exact is None else float(exact)
        value = None if cell.value is None else float(cell.value)
        found.append((CELL, (*key, place, *cell.place, value, cell.flag.value, known, need)))
    found += [(FINDING, (*key, f.code, f.subject, f.found, f.expected, f.serious)) for f in findings]
    return found


async def made(db: Database) -> dict[str, Made]:
    """How the newest vintage of each month was made, whatever its state."""
    found = await db.fetch("SELECT DISTINCT ON (period) * FROM bulletin_vintage ORDER BY period, number DESC")
    return {row["period"]: _made(row) for row in found}


async def made_as(db: Database, period: str, number: int) -> Made | None:
    """How a vintage was made."""
    row = await db.fetchrow("SELECT * FROM bulletin_vintage WHERE period = $1 AND number = $2", period, number)
    return _made(row) if row else None


async def vintage(db: Database, period: str, number: int) -> Vintage | None:
    """One vintage, whatever its state."""
    known = await made_as(db, period, number)
    if known is None:
        return None
    cells = await db.fetch(
        """
        SELECT indicator, period, breakdown, value_of, value, flag FROM bulletin_cell
        WHERE period = $1 AND number = $2 ORDER BY place
        """,
        period,
        number,
    )
    return as_vintage(known, [_cell(row) for row in cells])


def as_vintage(known: Made, cells: Sequence[Cell]) -> Vintage:
    """A vintage of protected cells."""
    return Vintage(
        period=known.period,
        number=known.number,
        as_of=known.as_of,
        status=known.status,
        method=known.method,
        reason=known.reason,
        cells=tuple(cells),
    )


async def latest(db: Database, period: str, *, including: str = "released") -> Vintage | None:
    """The newest released vintage of a month, or with `including="draft"` the newest of all."""
    number = await db.fetchval(
        """
        SELECT max(number) FROM bulletin_release WHERE period = $1 AND ($2 OR state = 'released')
        """,
        period,
        including == "draft",
    )
    return None if number is None else await vintage(db, period, number)


async def series(
    db: Database, indicator: str, breakdown: str = "", until: str | None = None, *, including: str = "released"
) -> list[tuple[str, int, Cell]]:
    """A figure (or all parts of a breakdown) month by month up to `until`: period, number of the vintage, cell."""
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


async def releases(db: Database) -> list[Release]:
    """Every vintage's way to the public, by month and number."""
    found = await db.fetch("SELECT * FROM bulletin_release ORDER BY period, number")
    return [msgspec.convert(dict(row), Release) for row in found]


async def released(db: Database) -> list[Release]:
    """What is public, by month and number."""
    return [release for release in await releases(db) if release.state is ReleaseState.RELEASED]


async def stamp(db: Database) -> tuple[int, int, datetime | None]:
    """How many vintages are public, how many projections are kept, and since when the newest is public."""
    row = await db.fetchrow(
        """
        SELECT count(*) AS count, max(released_at) AS newest, (SELECT count(*) FROM bulletin_projection) AS frozen
        FROM bulletin_release WHERE state = 'released'
        """
    )
    return (row["count"], row["frozen"], row["newest"]) if row else (0, 0, None)


async def guarded(db: Database, period: str, number: int) -> list[Guarded]:
    """The cells of a vintage with what must not leave the room."""
    found = await db.fetch(
        "SELECT * FROM bulletin_cell WHERE period = $1 AND number = $2 ORDER BY place", period, number
    )
    return [Guarded(_cell(row), row["exact"], row["guarded"]) for row in found]


async def findings(db: Database, period: str, number: int) -> list[Finding]:
    """What was found about the data of a vintage, serious things first."""
    found = await db.fetch(
        """
        SELECT period, code, subject, found, expected, serious, acknowledged_by, note FROM bulletin_finding
        WHERE period = $1 AND number = $2 ORDER BY serious DESC, code, subject
        """,
        period,
        number,
    )
    return [msgspec.convert(dict(row), Finding) for row in found]


async def acknowledge(conn: Connection, period: str, number: int, code: str, subject: str, by: str, note: str) -> bool:
    """Note who answers for a finding; False when there is no such one."""
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


async def move(
    conn: Connection,
    release: Release,
    state: ReleaseState,
    *,
    by: str = "",
    embargo_until: datetime | None = None,
    at: datetime | None = None,
) -> bool:
    """Bring a release from the state it was seen in to the next; False when somebody else has moved it."""
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


def _made(row: asyncpg.Record) -> Made:
    fields = dict(row)
    return Made(**fields | {"status": VintageStatus(fields["status"])})


def _cell(row: asyncpg.Record) -> Cell:
    value = row["value"]
    # Counts are whole; what is not (a share) comes as it was rounded.
    if value is not None and value.is_integer():
        value = int(value)
    return Cell(row["indicator"], row["period"], row["breakdown"], row["value_of"], value, Flag(row["flag"]))
