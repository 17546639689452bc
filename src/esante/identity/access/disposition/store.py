"""The SQL of dispositions and of their approvals."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Table
from esante.identity.access.disposition.model import (
    DESTRUCTIVE,
    Act,
    Approval,
    Backlog,
    Disposition,
    DispositionState,
)

DISPOSITION = Table(
    "access_disposition",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "disposition_id": "uuid",
        "act": "text",
        "rule": "text",
        "period": "text",
        "state": "text",
        "due_at": "timestamptz",
        "upto": "timestamptz",
        "total": "integer",
        "notified_at": "timestamptz",
    },
)
APPROVAL = Table(
    "access_disposition_approval",
    Kind.LOCAL,
    {
        "approval_id": "uuid",
        "upto_id": "uuid",
        "due_before": "timestamptz",
        "dispositions": "integer",
        "items": "integer",
        "first_by": "text",
        "first_at": "timestamptz",
    },
)
_OPEN = "state IN ('planned', 'running')"
_DESTRUCTIVE = [act.value for act in DESTRUCTIVE]


async def insert_new(conn: Connection, dispositions: Sequence[Disposition]) -> list[Disposition]:
    """Insert the dispositions of whose person, act and period none is open; return those."""
    columns = zip(*(_values(one) for one in dispositions), strict=True)
    rows = await conn.fetch(
        f"{DISPOSITION.insert_sql()} ON CONFLICT (person_id, act, period) WHERE {_OPEN}"
        " DO NOTHING RETURNING disposition_id",
        *map(list, columns),
    )
    new = {row["disposition_id"] for row in rows}
    return [one for one in dispositions if one.id in new]


def _values(disposition: Disposition) -> tuple[object, ...]:
    return (
        disposition.person_id,
        disposition.id,
        disposition.act.value,
        disposition.rule,
        disposition.period,
        disposition.state.value,
        disposition.due_at,
        disposition.upto,
        disposition.total,
        disposition.notified_at,
    )


async def find(db: Database | Connection, person_id: UUID, id_: UUID, *, lock: bool = False) -> Disposition | None:
    """Return a disposition, or None; with `lock` its row is locked until the end of the transaction."""
    row = await db.fetchrow(
        "SELECT * FROM access_disposition WHERE person_id = $1 AND disposition_id = $2"  # noqa: S608
        + (" FOR UPDATE" if lock else ""),
        person_id,
        id_,
    )
    return _disposition(row) if row else None


async def find_open(conn: Database | Connection, person_id: UUID) -> list[Disposition]:
    """Return a person's dispositions that are neither done nor cancelled, the next one first."""
    rows = await conn.fetch(
        f"SELECT * FROM access_disposition WHERE person_id = $1 AND {_OPEN} ORDER BY due_at, disposition_id",  # noqa: S608
        person_id,
    )
    return [_disposition(row) for row in rows]


async def save(conn: Connection, disposition: Disposition) -> None:
    """Write what may change of a disposition."""
    await conn.execute(
        """
        UPDATE access_disposition SET state = $3, due_at = $4, upto = $5, done = $6, cursor = $7, resume_at = $8,
            notified_at = $9, held_at = $10, held_by = $11, note = $12, approved = $13, ended_at = $14, total = $15
        WHERE person_id = $1 AND disposition_id = $2
        """,
        disposition.person_id,
        disposition.id,
        disposition.state.value,
        disposition.due_at,
        disposition.upto,
        disposition.done,
        disposition.cursor,
        disposition.resume_at,
        disposition.notified_at,
        disposition.held_at,
        disposition.held_by,
        disposition.note,
        disposition.approved,
        disposition.ended_at,
        disposition.total,
    )


Position = tuple[datetime, UUID]
"""The place in a list of dispositions: the moment that it is sorted by, and the id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which dispositions a list shows: `status` (open, held, done or cancelled), of an act and a person, if given."""

    status: str = "open"
    act: str = ""
    person_id: UUID | None = None


_STATUS = {
    "open": f"{_OPEN} AND held_at IS NULL",
    "held": f"{_OPEN} AND held_at IS NOT NULL",
    "done": "state = 'done'",
    "cancelled": "state = 'cancelled'",
}


async def fetch_page(db: Database, wanted: Filter, after: Position | None, limit: int) -> list[Disposition]:
    """Return dispositions after a position: open ones by their due time, ended ones the latest first."""
    is_open = wanted.status in ("open", "held")
    column, than, order = ("due_at", ">", "") if is_open else ("ended_at", "<", " DESC")
    rows = await db.fetch(
        f"SELECT * FROM access_disposition WHERE {_STATUS[wanted.status]}"  # noqa: S608 - constant expressions
        " AND ($1 = '' OR act = $1) AND ($2::uuid IS NULL OR person_id = $2)"
        f" AND ($3::timestamptz IS NULL OR ({column}, disposition_id) {than} ($3, $4::uuid))"
        f" ORDER BY {column}{order}, disposition_id{order} LIMIT $5",
        wanted.act,
        wanted.person_id,
        *(after or (None, None)),
        limit,
    )
    return [_disposition(row) for row in rows]


async def fetch_due(
    db: Database, acts: Collection[Act], now: datetime, limit: int, *, approval: Approval | None, unapproved: bool
) -> list[tuple[UUID, UUID]]:
    """Return the keys (person, disposition) of what of some acts may be done now, the oldest first.

    Deletions that have not begun are among them where `approval` covers them, or else with `unapproved`.
    """
    rows = await db.fetch(
        f"SELECT person_id, disposition_id FROM access_disposition WHERE {_OPEN} AND held_at IS NULL"  # noqa: S608
        " AND due_at <= $1 AND (notified_at IS NOT NULL OR act = 'log') AND ($2 OR act <> ALL($3) OR state = 'running'"
        " OR (disposition_id <= $4 AND due_at <= $5)) AND act = ANY($7) ORDER BY due_at, disposition_id LIMIT $6",
        now,
        unapproved,
        _DESTRUCTIVE,
        approval.upto_id if approval else None,
        approval.due_before if approval else None,
        limit,
        [*acts],
    )
    return [(row["person_id"], row["disposition_id"]) for row in rows]


async def fetch_unnotified(db: Database, upto: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return the keys of closings and deletions that are due by a moment, and of which the person was not told."""
    rows = await db.fetch(
        f"SELECT person_id, disposition_id FROM access_disposition WHERE {_OPEN} AND notified_at IS NULL"  # noqa: S608
        " AND act IN ('close', 'delete') AND due_at <= $1 ORDER BY due_at, disposition_id LIMIT $2",
        upto,
        limit,
    )
    return [(row["person_id"], row["disposition_id"]) for row in rows]


async def count_unapproved(
    db: Database | Connection, now: datetime, since: datetime, approval: Approval | None
) -> Backlog:
    """Return the deletions that are due and that `approval` does not cover, and those done without one since then."""
    rows = await db.fetch(
        """
        SELECT count(*) FILTER (WHERE state <> 'done') AS dispositions,
            coalesce(sum(total) FILTER (WHERE state <> 'done'), 0) AS items,
            max(disposition_id::text) FILTER (WHERE state <> 'done')::uuid AS newest,
            count(*) FILTER (WHERE state = 'done') AS done
        FROM access_disposition
        WHERE act = ANY($1) AND NOT approved AND (
            (state IN ('planned', 'running') AND held_at IS NULL AND due_at <= $2
             AND ($4::uuid IS NULL OR disposition_id > $4 OR due_at > $5))
            OR (state = 'done' AND ended_at > $3))
        """,
        _DESTRUCTIVE,
        now,
        since,
        approval.upto_id if approval else None,
        approval.due_before if approval else None,
    )
    (row,) = rows
    return Backlog(row["dispositions"], row["items"], row["newest"], row["done"])


async def find_approval(db: Database | Connection, *, complete: bool, lock: bool = False) -> Approval | None:
    """Return the latest approval that is complete, or that waits for the second person; `lock`: until commit."""
    row = await db.fetchrow(
        "SELECT * FROM access_disposition_approval WHERE (second_at IS NOT NULL) = $1"  # noqa: S608
        " ORDER BY approval_id DESC LIMIT 1" + (" FOR UPDATE" if lock else ""),
        complete,
    )
    if row is None:
        return None
    values = dict(row)
    return Approval(id=values.pop("approval_id"), **values)


async def complete_approval(conn: Connection, id_: UUID, by: str, at: datetime) -> None:
    """Write the second signature of an approval."""
    await conn.execute(
        "UPDATE access_disposition_approval SET second_by = $2, second_at = $3 WHERE approval_id = $1", id_, by, at
    )


async def count_by_month(db: Database, since: datetime, zone: str) -> list[asyncpg.Record]:
    """Return how many dispositions were done in each month of a zone: month, act, dispositions, items."""
    return await db.fetch(
        "SELECT to_char(ended_at AT TIME ZONE $2, 'YYYY-MM') AS month, act, count(*) AS dispositions,"
        " sum(done) AS items FROM access_disposition WHERE state = 'done' AND ended_at >= $1"
        " GROUP BY 1, 2 ORDER BY 1, 2",
        since,
        zone,
    )


async def count_open(db: Database, now: datetime) -> list[asyncpg.Record]:
    """Return the numbers of open dispositions by act: act, open, due, held, items (that are due)."""
    return await db.fetch(
        "SELECT act, count(*) AS open, count(*) FILTER (WHERE held_at IS NOT NULL) AS held,"  # noqa: S608
        " count(*) FILTER (WHERE due_at <= $1 AND held_at IS NULL) AS due,"
        " coalesce(sum(total - done) FILTER (WHERE due_at <= $1 AND held_at IS NULL), 0) AS items"
        f" FROM access_disposition WHERE {_OPEN} GROUP BY act ORDER BY act",
        now,
    )


def _disposition(row: asyncpg.Record) -> Disposition:
    values = dict(row)
    values["act"], values["state"] = Act(values["act"]), DispositionState(values["state"])
    return Disposition(id=values.pop("disposition_id"), **values)
