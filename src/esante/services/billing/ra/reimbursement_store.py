"""SQL of reimbursements and of the messages that wait."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.billing.insurance.messages import Anomaly
from esante.services.billing.ra.model import Reimbursement, State, Waiting

REIMBURSEMENT = Table(
    "billing_reimbursement",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "note_id": "uuid",
        "state": "text",
        "settled": "boolean",
        "tried": "boolean",
        "secu_id": "uuid",
        "asked_at": "timestamptz",
        "asked_by": "text",
        "consented": "boolean",
        "amount": "numeric",
        "reimbursed_on": "date",
        "cancel_reason": "text",
        "replaced_by_id": "uuid",
        "anomalies": "text",
        "changed_at": "timestamptz",
    },
)
WAITING = Table(
    "billing_waiting",
    Kind.LOCAL,
    {
        "person_id": "uuid",
        "note_id": "uuid",
        "turn_at": "timestamptz",
        "failures": "integer",
        "last_error": "text",
        "dead": "boolean",
    },
)
_COLUMNS = ", ".join(REIMBURSEMENT.columns)
_WAITING = ", ".join(WAITING.columns)
_CHANGED = [name for name in REIMBURSEMENT.columns if name not in ("person_id", "note_id")]
_SET = ", ".join(f"{name} = ${number}" for number, name in enumerate(_CHANGED, 3))
_UPDATE = f"UPDATE billing_reimbursement SET {_SET} WHERE person_id = $1 AND note_id = $2"  # noqa: S608 - declared


def reimbursement_rows(one: Reimbursement, turn_at: datetime) -> list[Row]:
    """Return the rows of a new reimbursement, whose deposit waits."""
    return [
        (REIMBURSEMENT, _values(one)),
        (WAITING, (one.person_id, one.note_id, turn_at, 0, "", False)),
    ]


async def update(conn: Connection, one: Reimbursement) -> None:
    """Write how far a note is."""
    await conn.execute(_UPDATE, *_values(one))


async def fetch(
    source: Database | Connection, person_id: UUID, note_id: UUID, *, lock: bool = False
) -> Reimbursement | None:
    """Return how far a note is; None when it is no note of RA. `lock`: locked until the end of the transaction."""
    row = await source.fetchrow(
        f"SELECT {_COLUMNS} FROM billing_reimbursement WHERE person_id = $1 AND note_id = $2"  # noqa: S608 - declared
        + (" FOR UPDATE" if lock else ""),
        person_id,
        note_id,
    )
    return _reimbursement(row) if row else None


async def fetch_many(source: Database | Connection, keys: Sequence[tuple[UUID, UUID]]) -> list[Reimbursement]:
    """Return how far notes are, by the keys of person and note."""
    rows = await source.fetch(
        f"SELECT {_COLUMNS} FROM billing_reimbursement WHERE person_id = ANY($1::uuid[])"  # noqa: S608 - declared
        " AND (person_id, note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
        [person_id for person_id, _ in keys],
        [note_id for _, note_id in keys],
    )
    return [_reimbursement(row) for row in rows]


# Messages that wait -------------------------------------------------------------------------------------


async def take_waiting(db: Database, now: datetime, lease: timedelta) -> Waiting | None:
    """Return the message whose turn came first, which nobody else takes for a time; None when none is due."""
    async with db.transaction() as conn:
        row = await conn.fetchrow(
            f"SELECT {_WAITING} FROM billing_waiting WHERE NOT dead AND turn_at <= $1"  # noqa: S608 - declared
            " ORDER BY turn_at LIMIT 1 FOR UPDATE SKIP LOCKED",
            now,
        )
        if row is None:
            return None
        await conn.execute(
            "UPDATE billing_waiting SET turn_at = $3 WHERE person_id = $1 AND note_id = $2",
            row["person_id"],
            row["note_id"],
            now + lease,
        )
    return Waiting(**row)


async def put_waiting(conn: Connection, one: Waiting) -> None:
    """Let the message of a note wait; what is known of an earlier one is replaced."""
    await conn.execute(
        "INSERT INTO billing_waiting (person_id, note_id, turn_at, failures, last_error, dead)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (person_id, note_id) DO UPDATE SET turn_at = excluded.turn_at,"
        " failures = excluded.failures, last_error = excluded.last_error, dead = excluded.dead",
        one.person_id,
        one.note_id,
        one.turn_at,
        one.failures,
        one.last_error,
        one.dead,
    )


async def remove_waiting(conn: Connection, person_id: UUID, note_id: UUID) -> None:
    """Let nothing wait for a note."""
    await conn.execute("DELETE FROM billing_waiting WHERE person_id = $1 AND note_id = $2", person_id, note_id)


async def fetch_waiting(source: Database | Connection, keys: Sequence[tuple[UUID, UUID]]) -> list[Waiting]:
    """Return the messages that wait for notes."""
    rows = await source.fetch(
        f"SELECT {_WAITING} FROM billing_waiting"  # noqa: S608 - declared
        " WHERE (person_id, note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
        [person_id for person_id, _ in keys],
        [note_id for _, note_id in keys],
    )
    return [Waiting(**row) for row in rows]


async def fetch_dead(db: Database, text: str, start: int, limit: int) -> list[Waiting]:
    """Return messages that are not tried any more by themselves, for operators, the latest first.

    `text`: a part of the note's id or of the cause ("": any).
    """
    rows = await db.fetch(
        f"SELECT {_WAITING} FROM billing_waiting WHERE dead"  # noqa: S608 - declared
        " AND ($3 = '' OR position(lower($3) IN lower(concat_ws(' ', note_id, last_error))) > 0)"
        " ORDER BY turn_at DESC, note_id OFFSET $1 LIMIT $2",
        start,
        limit,
        text,
    )
    return [Waiting(**row) for row in rows]


def _values(one: Reimbursement) -> tuple[Any, ...]:
    encoded = msgspec.json.encode(one.anomalies).decode()
    special = {"state": one.state.value, "anomalies": encoded}
    return tuple(special.get(name, getattr(one, name)) for name in REIMBURSEMENT.columns)


def _reimbursement(row: Any) -> Reimbursement:
    values = dict(row)
    values["anomalies"] = msgspec.json.decode(values["anomalies"], type=tuple[Anomaly, ...])
    return Reimbursement(**(values | {"state": State(values["state"])}))
