"""The SQL of changes to the assignment of document classes."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table

ASSIGNMENT = Table(
    "access_assignment",
    Kind.LOCAL,
    {
        "change_id": "uuid",
        "document_class": "text",
        "category": "text",
        "valid_from": "date",
        "legal_source": "text",
        "proposed_at": "timestamptz",
        "proposed_by": "uuid",
        "proposer": "text",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentChange:
    """Another legal category of a document class from a day on; it counts once it is confirmed."""

    id: UUID
    document_class: str
    category: str
    valid_from: date
    legal_source: str
    proposed_at: datetime
    proposed_by: UUID
    proposer: str
    confirmed_at: datetime | None = None
    confirmed_by: UUID | None = None
    confirmer: str = ""
    withdrawn_at: datetime | None = None
    withdrawn_by: UUID | None = None
    withdrawer: str = ""
    withdrawal_reason: str = ""

    @property
    def state(self) -> str:
        """Return proposed, confirmed or withdrawn."""
        return "confirmed" if self.confirmed_at else "withdrawn" if self.withdrawn_at else "proposed"


def change_row(change: AssignmentChange) -> Row:
    """Return the row of a new proposal."""
    return ASSIGNMENT, (
        change.id,
        change.document_class,
        change.category,
        change.valid_from,
        change.legal_source,
        change.proposed_at,
        change.proposed_by,
        change.proposer,
    )


async def fetch_changes(db: Database | Connection, *, confirmed: bool = False) -> list[AssignmentChange]:
    """Return all changes by their proposal, or only the `confirmed` ones in the order in which they count."""
    rows = await db.fetch(
        "SELECT * FROM access_assignment WHERE confirmed_at IS NOT NULL OR NOT $1"
        " ORDER BY CASE WHEN $1 THEN confirmed_at END, change_id",
        confirmed,
    )
    return [_change(row) for row in rows]


async def fetch_change(db: Database, change_id: UUID) -> AssignmentChange | None:
    """Return a change; None for an unknown one."""
    row = await db.fetchrow("SELECT * FROM access_assignment WHERE change_id = $1", change_id)
    return _change(row) if row else None


async def lock_change(conn: Connection, change_id: UUID) -> AssignmentChange | None:
    """Return a change and lock it until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow("SELECT * FROM access_assignment WHERE change_id = $1 FOR UPDATE", change_id)
    return _change(row) if row else None


async def confirm_change(
    conn: Connection, change_id: UUID, at: datetime, confirmed_by: UUID, confirmer: str
) -> AssignmentChange:
    """Write that a change was confirmed; return it."""
    row = await conn.fetchrow(
        "UPDATE access_assignment SET confirmed_at = $2, confirmed_by = $3, confirmer = $4 WHERE change_id = $1"
        " RETURNING *",
        change_id,
        at,
        confirmed_by,
        confirmer,
    )
    return _change(row)


async def withdraw_change(
    conn: Connection, change_id: UUID, at: datetime, withdrawn_by: UUID, withdrawer: str, reason: str
) -> AssignmentChange:
    """Write that a proposal was withdrawn; return it."""
    row = await conn.fetchrow(
        "UPDATE access_assignment SET withdrawn_at = $2, withdrawn_by = $3, withdrawer = $4, withdrawal_reason = $5"
        " WHERE change_id = $1 RETURNING *",
        change_id,
        at,
        withdrawn_by,
        withdrawer,
        reason,
    )
    return _change(row)


def _change(row: asyncpg.Record) -> AssignmentChange:
    return AssignmentChange(id=row["change_id"], **{name: row[name] for name in row.keys() if name != "change_id"})  # noqa: SIM118
