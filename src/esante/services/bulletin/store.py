"""Tables of the bulletin, and the SQL of the lake's files and cursor."""

from collections.abc import Sequence
from dataclasses import dataclass

from esante.core.storage import Connection, Database, Kind, Table, insert

LAKE = Table("bulletin_lake", Kind.LOCAL, {"reader": "text", "seq": "bigint"})
PART = Table(
    "bulletin_part",
    Kind.LOCAL,
    {
        "reader": "text",
        "period": "text",
        "first_seq": "bigint",
        "last_seq": "bigint",
        "events": "bigint",
        "digest": "bytea",
    },
)
SUBJECTS = Table("bulletin_subjects", Kind.LOCAL, {"source": "bytea", "digest": "bytea"})
VINTAGE = Table(
    "bulletin_vintage",
    Kind.LOCAL,
    {
        "period": "text",
        "number": "integer",
        "as_of": "timestamptz",
        "status": "text",
        "method": "integer",
        "reason": "text",
        "seq": "bigint",
        "source": "bytea",
        "recipe": "bytea",
        "digest": "bytea",
    },
)
CELL = Table(
    "bulletin_cell",
    Kind.LOCAL,
    {
        "period": "text",
        "number": "integer",
        "place": "integer",
        "indicator": "text",
        "breakdown": "text",
        "value_of": "text",
        "value": "double precision",
        "flag": "text",
        "exact": "double precision",
        "guarded": "double precision",
    },
)
FINDING = Table(
    "bulletin_finding",
    Kind.LOCAL,
    {
        "period": "text",
        "number": "integer",
        "code": "text",
        "subject": "text",
        "found": "double precision",
        "expected": "double precision",
        "serious": "boolean",
    },
)
RELEASE = Table(
    "bulletin_release",
    Kind.LOCAL,
    {"period": "text", "number": "integer", "state": "text", "built_by": "text"},
)
PROJECTION = Table(
    "bulletin_projection",
    Kind.LOCAL,
    {"period": "text", "indicator": "text", "model": "text", "method": "integer", "points": "jsonb"},
    once=True,
)


@dataclass(frozen=True, slots=True)
class LakePart:
    """A file of the lake: the events of one month from a batch of the journal; `digest` is its object's SHA-256."""

    period: str
    first_seq: int
    last_seq: int
    events: int
    digest: bytes


_PUSH_LOCK = 0x62756C6C65746E
"""The advisory lock of the process that pushes to the open data portal ("bulletn" in ASCII)."""


async def try_push_lock(conn: Connection) -> bool:
    """Try to take the lock of the push until the end of the transaction; return whether this process has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _PUSH_LOCK))


async def fetch_cursor(db: Database | Connection, lake_id: str) -> int:
    """Return the last leaf of the journal that the lake holds; 0 for a new lake."""
    return await db.fetchval("SELECT seq FROM bulletin_lake WHERE reader = $1", lake_id) or 0


async def insert_in_batches(db: Database, lake_id: str, after: int, upto: int, parts: Sequence[LakePart]) -> bool:
    """Insert files and move the cursor from `after` to `upto`; return False when another process has moved it."""
    async with db.transaction() as conn:
        await conn.execute("INSERT INTO bulletin_lake (reader, seq) VALUES ($1, 0) ON CONFLICT DO NOTHING", lake_id)
        moved = await conn.fetchval(
            "UPDATE bulletin_lake SET seq = $3 WHERE reader = $1 AND seq = $2 RETURNING seq", lake_id, after, upto
        )
        if moved is None:
            return False
        rows = [(PART, (lake_id, p.period, p.first_seq, p.last_seq, p.events, p.digest)) for p in parts]
        await insert(conn, rows)
    return True


async def fetch_parts(db: Database, lake_id: str, upto: int) -> list[LakePart]:
    """Return the files of the lake that hold leaves up to `upto`, by month, then in the journal's order."""
    rows = await db.fetch(
        """
        SELECT period, first_seq, last_seq, events, digest FROM bulletin_part
        WHERE reader = $1 AND last_seq <= $2 ORDER BY period, first_seq
        """,
        lake_id,
        upto,
    )
    return [LakePart(*row) for row in rows]


async def fetch_record_states(db: Database, source: bytes) -> bytes | None:
    """Return the digest of the record states that were made from `source`, or None."""
    found: bytes | None = await db.fetchval("SELECT digest FROM bulletin_subjects WHERE source = $1", source)
    return found


async def insert_record_states(db: Database, source: bytes, digest: bytes) -> None:
    """Insert the digest of the record states that were made from `source`."""
    await db.fetchval(
        "INSERT INTO bulletin_subjects (source, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING", source, digest
    )
