"""SQL of contestations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table
from esante.services.billing.pid.model import Contestation, ContestationState

CONTESTATION = Table(
    "billing_contestation",
    Kind.LOCAL,
    {
        "contestation_id": "uuid",
        "person_id": "uuid",
        "simulation_id": "uuid",
        "note_id": "uuid",
        "provider_code": "text",
        "biller_id": "uuid",
        "finding_id": "uuid",
        "rule": "text",
        "line": "integer",
        "code": "text",
        "text": "text",
        "state": "text",
        "opened_at": "timestamptz",
        "due_at": "timestamptz",
    },
)
_COLUMNS = ", ".join((*CONTESTATION.columns, "answered_at", "answer", "answered_by"))


async def add(conn: Connection, one: Contestation) -> bool:
    """Store a contestation; False when the finding is contested already."""
    added = await conn.fetchval(
        "INSERT INTO billing_contestation (contestation_id, person_id, simulation_id, note_id, provider_code,"
        " biller_id, finding_id, rule, line, code, text, state, opened_at, due_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        " ON CONFLICT (simulation_id, finding_id) DO NOTHING RETURNING 1",
        one.id,
        one.person_id,
        one.simulation_id,
        one.note_id,
        one.provider_code,
        one.biller_id,
        one.finding_id,
        one.rule,
        one.line,
        one.code,
        one.text,
        one.state.value,
        one.opened_at,
        one.due_at,
    )
    return bool(added)


async def fetch_of_simulation(conn: Connection, simulation_id: UUID) -> list[Contestation]:
    """Return the contestations of a simulation, the oldest first."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM billing_contestation WHERE simulation_id = $1 ORDER BY contestation_id",  # noqa: S608
        simulation_id,
    )
    return [_contestation(row) for row in rows]


async def search(
    db: Database, biller_id: UUID | None, state: ContestationState | None, text: str, before: UUID | None, limit: int
) -> list[Contestation]:
    """Return contestations of one biller or of all, in a state or in any, the newest first.

    `text`: a part of the provider code, of the note's id, of the rule, or of what was written ("": any).
    """
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM billing_contestation WHERE ($1::uuid IS NULL OR biller_id = $1)"  # noqa: S608
        " AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR contestation_id < $3)"
        " AND ($5 = '' OR position(lower($5)"
        " IN lower(concat_ws(' ', provider_code, note_id, rule, text, answer))) > 0)"
        " ORDER BY contestation_id DESC LIMIT $4",
        biller_id,
        state.value if state else None,
        before,
        limit,
        text,
    )
    return [_contestation(row) for row in rows]


async def count_open(db: Database) -> int:
    """Return how many contestations wait for an answer."""
    found: int = await db.fetchval("SELECT count(*) FROM billing_contestation WHERE state = 'open'")
    return found


async def lock(conn: Connection, contestation_id: UUID) -> Contestation | None:
    """Return a contestation, locked until the end of the transaction; None when there is none."""
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM billing_contestation WHERE contestation_id = $1 FOR UPDATE",  # noqa: S608
        contestation_id,
    )
    return _contestation(row) if row else None


async def lock_due(conn: Connection, at: datetime, limit: int) -> list[Contestation]:
    """Return open contestations whose time limit has passed, locked."""
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM billing_contestation WHERE state = 'open' AND due_at <= $1"  # noqa: S608
        " ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        at,
        limit,
    )
    return [_contestation(row) for row in rows]


async def close(
    conn: Connection, contestation_id: UUID, state: ContestationState, at: datetime, text: str, by: str
) -> None:
    """Write the answer to a contestation, or that there was none in time."""
    await conn.execute(
        "UPDATE billing_contestation SET state = $2, answered_at = $3, answer = $4, answered_by = $5"
        " WHERE contestation_id = $1",
        contestation_id,
        state.value,
        at,
        text,
        by,
    )


def _contestation(row: Any) -> Contestation:
    values = dict(row)
    return Contestation(id=values.pop("contestation_id"), **values | {"state": ContestationState(values["state"])})
