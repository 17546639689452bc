"""The SQL of deadlines: tasks of depositors, and how punctual they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.record.deadlines.model import Depositor, DepositTask, Punctuality, TaskState

TASK = Table(
    "deposit_task",
    Kind.LOCAL,
    {
        "task_id": "uuid",
        "person_id": "uuid",
        "depositor_id": "uuid",
        "depositor_kind": "text",
        "depositor": "text",
        "kind": "text",
        "source": "text",
        "stay_id": "uuid",
        "care_on": "date",
        "asked_at": "timestamptz",
        "due_on": "date",
        "state": "text",
        "closed_at": "timestamptz",
        "document_id": "uuid",
        "note": "text",
    },
)
PUNCTUALITY = Table(
    "deposit_punctuality",
    Kind.LOCAL,
    {
        "depositor_id": "uuid",
        "month": "text",
        "kind": "text",
        "depositor": "text",
        "in_time": "integer",
        "late": "integer",
    },
)


def task_row(task: DepositTask) -> Row:
    """Return the row of a new task."""
    values = {name: getattr(task, "id" if name == "task_id" else name) for name in TASK.columns}
    values["state"] = task.state.value
    return TASK, tuple(values.values())


async def lock_task(conn: Connection, task_id: UUID) -> DepositTask | None:
    """Return a task, locked until the end of the transaction, or None."""
    row = await conn.fetchrow("SELECT * FROM deposit_task WHERE task_id = $1 FOR UPDATE", task_id)
    return _task(row) if row else None


async def find_task(db: Database, task_id: UUID) -> DepositTask | None:
    """Return a task, or None."""
    row = await db.fetchrow("SELECT * FROM deposit_task WHERE task_id = $1", task_id)
    return _task(row) if row else None


async def lock_open_tasks(conn: Connection, persons: Sequence[UUID]) -> dict[UUID, list[DepositTask]]:
    """Return the open tasks of persons, locked until the end of the transaction; persons without any are missing."""
    rows = await conn.fetch(
        "SELECT * FROM deposit_task WHERE person_id = ANY ($1) AND state = 'open' ORDER BY task_id FOR UPDATE",
        list(persons),
    )
    found: dict[UUID, list[DepositTask]] = {}
    for row in rows:
        found.setdefault(row["person_id"], []).append(_task(row))
    return found


async def close_task(conn: Connection, task: DepositTask) -> None:
    """Write how a task ended."""
    await conn.execute(
        "UPDATE deposit_task SET state = $2, closed_at = $3, document_id = $4, answer = $5, answer_text = $6,"
        " answered_by = $7 WHERE task_id = $1",
        task.id,
        task.state.value,
        task.closed_at,
        task.document_id,
        task.answer,
        task.answer_text,
        task.answered_by,
    )


async def fetch_of_person(
    db: Database, person_id: UUID, text: str, before: UUID | None, limit: int
) -> list[DepositTask]:
    """Return what a person asked for, the newest first, older than a task; `text`: in the name of the depositor."""
    rows = await db.fetch(
        "SELECT * FROM deposit_task WHERE person_id = $1 AND source = 'request'"
        " AND ($2::uuid IS NULL OR task_id < $2) AND ($4 = '' OR strpos(lower(depositor), lower($4)) > 0)"
        " ORDER BY task_id DESC LIMIT $3",
        person_id,
        before,
        limit,
        text,
    )
    return [_task(row) for row in rows]


Position = tuple[date, UUID]
"""The place in a list of open tasks: last day and key."""


async def fetch_open(
    db: Database, depositors: Sequence[UUID], after: Position | None, limit: int
) -> list[DepositTask]:
    """Return the open tasks of depositors, the one that is due first first, after a position."""
    rows = await db.fetch(
        "SELECT * FROM deposit_task WHERE depositor_id = ANY ($1) AND state = 'open'"
        " AND ($2::date IS NULL OR (due_on, task_id) > ($2, $3::uuid)) ORDER BY due_on, task_id LIMIT $4",
        list(depositors),
        *(after or (None, None)),
        limit,
    )
    return [_task(row) for row in rows]


async def fetch_closed(db: Database, depositors: Sequence[UUID], before: UUID | None, limit: int) -> list[DepositTask]:
    """Return the tasks of depositors that ended, the newest first, older than a task."""
    rows = await db.fetch(
        "SELECT * FROM deposit_task WHERE depositor_id = ANY ($1) AND state <> 'open'"
        " AND ($2::uuid IS NULL OR task_id < $2) ORDER BY task_id DESC LIMIT $3",
        list(depositors),
        before,
        limit,
    )
    return [_task(row) for row in rows]


async def fetch_overdue(db: Database, today: date, text: str, after: Position | None, limit: int) -> list[DepositTask]:
    """Return the tasks of everybody that are overdue, the oldest first, after a position; `text` as above."""
    rows = await db.fetch(
        "SELECT * FROM deposit_task WHERE state = 'open' AND due_on < $1"
        " AND ($2::date IS NULL OR (due_on, task_id) > ($2, $3::uuid))"
        " AND ($5 = '' OR strpos(lower(depositor), lower($5)) > 0) ORDER BY due_on, task_id LIMIT $4",
        today,
        *(after or (None, None)),
        limit,
        text,
    )
    return [_task(row) for row in rows]


async def count_open(db: Database, depositors: Sequence[UUID], today: date) -> tuple[int, int]:
    """Return how many tasks of depositors are open, and how many of them overdue."""
    rows = await db.fetch(
        "SELECT count(*), count(*) FILTER (WHERE due_on < $2) FROM deposit_task"
        " WHERE depositor_id = ANY ($1) AND state = 'open'",
        list(depositors),
        today,
    )
    return rows[0][0], rows[0][1]


async def lock_newly_overdue(conn: Connection, today: date, limit: int) -> list[DepositTask]:
    """Return requests that are overdue and of which the person was not told, locked."""
    rows = await conn.fetch(
        "SELECT * FROM deposit_task WHERE state = 'open' AND due_on < $1 AND source = 'request'"
        " AND NOT notified_overdue ORDER BY due_on, task_id LIMIT $2 FOR UPDATE SKIP LOCKED",
        today,
        limit,
    )
    return [_task(row) for row in rows]


async def mark_notified_overdue(conn: Connection, tasks: Sequence[UUID]) -> None:
    """Write that persons were told of requests that are overdue."""
    await conn.execute("UPDATE deposit_task SET notified_overdue = true WHERE task_id = ANY ($1)", list(tasks))


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete the tasks about a person's record; return how many."""
    status = await conn.execute("DELETE FROM deposit_task WHERE person_id = $1", person_id)
    return int(status.rpartition(" ")[2])


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """What tasks need to know of a document."""

    id: UUID
    type: str
    event_date: date


async def find_documents(conn: Connection, person_id: UUID, keys: Sequence[UUID]) -> list[FoundDocument]:
    """Return those of some documents that exist."""
    rows = await conn.fetch(
        "SELECT document_id, type, event_date FROM document WHERE person_id = $1 AND document_id = ANY ($2)",
        person_id,
        list(keys),
    )
    return [FoundDocument(*row) for row in rows]


async def find_deposit(
    conn: Connection, person_id: UUID, depositor_id: UUID, types: Sequence[str], since: date
) -> UUID | None:
    """Return a current document of some types of a depositor with a date since a day, or None."""
    found: UUID | None = await conn.fetchval(
        "SELECT document_id FROM document WHERE person_id = $1 AND depositor_id = $2 AND type = ANY ($3)"
        " AND event_date >= $4 AND status = 'current' ORDER BY document_id LIMIT 1",
        person_id,
        depositor_id,
        list(types),
        since,
    )
    return found


async def fetch_depositors(db: Database, person_id: UUID) -> list[Depositor]:
    """Return who deposited into a person's record: organisations, and authors without one; by name."""
    rows = await db.fetch(
        "SELECT DISTINCT depositor_id, CASE WHEN organization_id IS NULL THEN author_kind ELSE 'organization' END,"
        " CASE WHEN organization_id IS NULL THEN author ELSE organization END AS name FROM document"
        " WHERE person_id = $1 AND author_kind <> 'patient' AND NOT misfiled ORDER BY name",
        person_id,
    )
    return [Depositor(*row) for row in rows]


# Punctuality


async def add_deposits(conn: Connection, counts: Mapping[tuple[Depositor, str, str], Punctuality]) -> None:
    """Add deposits to the counts by depositor, month and kind."""
    by_key: dict[tuple[UUID, str, str], tuple[str, Punctuality]] = {}
    for (depositor, month, kind), punctuality in counts.items():
        _, known = by_key.get((depositor.id, month, kind), ("", Punctuality(0, 0)))
        by_key[depositor.id, month, kind] = (depositor.name, known + punctuality)
    rows = [(*key, name, found.in_time, found.late) for key, (name, found) in sorted(by_key.items())]
    if rows:
        await conn.execute(
            f"{PUNCTUALITY.insert_sql()} ON CONFLICT (depositor_id, month, kind) DO UPDATE SET"
            " depositor = excluded.depositor, in_time = deposit_punctuality.in_time + excluded.in_time,"
            " late = deposit_punctuality.late + excluded.late",
            *(list(column) for column in zip(*rows, strict=True)),
        )


async def count_by_depositor(
    db: Database, since: str, today: date, text: str, after: tuple[str, UUID] | None, limit: int
) -> list[Any]:
    """Return the counts of depositors since a month, by name: depositor_id, depositor, in_time, late, overdue.

    `text`: what the name holds, without regard to case. `after`: name and key of the one before.
    """
    return await db.fetch(
        """
        SELECT p.depositor_id, p.depositor, p.in_time, p.late,
            (SELECT count(*) FROM deposit_task t
             WHERE t.depositor_id = p.depositor_id AND t.state = 'open' AND t.due_on < $5) AS overdue
        FROM (SELECT depositor_id, max(depositor) AS depositor, sum(in_time)::int AS in_time, sum(late)::int AS late
              FROM deposit_punctuality WHERE month >= $1 GROUP BY depositor_id) p
        WHERE ($2 = '' OR strpos(lower(p.depositor), lower($2)) > 0)
          AND ($3::text IS NULL OR (p.depositor, p.depositor_id) > ($3, $4::uuid))
        ORDER BY p.depositor, p.depositor_id LIMIT $6
        """,
        since,
        text,
        *(after or (None, None)),
        today,
        limit,
    )


async def count_by_month(db: Database, since: str, depositors: Sequence[UUID] | None) -> list[Any]:
    """Return the counts of each month: month, kind, in_time, late; of some depositors, or of all (None)."""
    return await db.fetch(
        "SELECT month, kind, sum(in_time)::int AS in_time, sum(late)::int AS late FROM deposit_punctuality"
        " WHERE month >= $1 AND ($2::uuid[] IS NULL OR depositor_id = ANY ($2)) GROUP BY month, kind"
        " ORDER BY month, kind",
        since,
        None if depositors is None else list(depositors),
    )


def _task(row: Any) -> DepositTask:
    values = dict(row)
    values["state"] = TaskState(values["state"])
    return DepositTask(id=values.pop("task_id"), **values)
