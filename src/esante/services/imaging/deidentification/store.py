"""SQL of copies without identity."""

from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.imaging.deidentification.model import Copy

COPY = Table(
    "imaging_copy",
    Kind.LOCAL,
    {
        "copy_id": "uuid",
        "purpose": "text",
        "permit": "text",
        "study_uids": "text",
        "uid_key": "bytea",
        "state": "text",
        "proposed_at": "timestamptz",
        "proposed_by": "uuid",
        "proposer": "text",
        "decided_at": "timestamptz",
        "decider": "text",
        "made_at": "timestamptz",
        "instances": "integer",
        "flagged": "integer",
        "left_out": "integer",
    },
)
_COLUMNS = ", ".join(COPY.columns)


def copy_row(copy: Copy) -> Row:
    """Return the row of a new copy."""
    return COPY, tuple(getattr(copy, name) for name in COPY.columns)


async def search_copies(db: Database, text: str, before: UUID, limit: int) -> list[Copy]:
    """Return the copies whose purpose or permit has a text, the latest first, from before a key on."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM imaging_copy WHERE copy_id < $2"  # noqa: S608
        " AND ($1 = '' OR position(lower($1) in lower(purpose || ' ' || permit)) > 0) ORDER BY copy_id DESC LIMIT $3",
        text,
        before,
        limit,
    )
    return [Copy(**dict(row)) for row in rows]


async def lock_copy(conn: Connection, copy_id: UUID) -> Copy | None:
    """Return a copy, locked; None where there is none."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM imaging_copy WHERE copy_id = $1 FOR UPDATE", copy_id)  # noqa: S608
    return Copy(**dict(row)) if row else None


async def decide_copy(conn: Connection, copy_id: UUID, state: str, decider: str, at: datetime) -> None:
    """Set the decision on a copy."""
    await conn.execute(
        "UPDATE imaging_copy SET state = $2, decider = $3, decided_at = $4 WHERE copy_id = $1",
        copy_id,
        state,
        decider,
        at,
    )


async def finish_copy(conn: Connection, copy: Copy, at: datetime) -> None:
    """Set that a copy was made, and its counts."""
    await conn.execute(
        "UPDATE imaging_copy SET state = 'made', made_at = $2, instances = $3, flagged = $4, left_out = $5"
        " WHERE copy_id = $1",
        copy.copy_id,
        at,
        copy.instances,
        copy.flagged,
        copy.left_out,
    )
