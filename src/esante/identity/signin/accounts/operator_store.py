"""The SQL of the staff of the agency who may sign in."""

from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.signin.model import Operator

OPERATOR = Table(
    "signin_operator",
    Kind.LOCAL,
    {
        "operator_id": "uuid",
        "name": "text",
        "invited_by": "text",
        "invited_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)
_SELECT = "SELECT operator_id, name, invited_by, invited_at, ended_at FROM signin_operator"


def operator_row(operator: Operator) -> Row:
    """Return the row of an operator."""
    return OPERATOR, tuple(getattr(operator, column) for column in OPERATOR.columns)


async def find_operator(db: Database, operator_id: UUID) -> Operator | None:
    """Return an operator, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE operator_id = $1", operator_id)
    return _operator(row) if row else None


async def fetch_operators(db: Database) -> list[Operator]:
    """Return all operators, those who have ended too, by name."""
    return [_operator(row) for row in await db.fetch(f"{_SELECT} ORDER BY name, operator_id")]


async def end_operator(conn: Connection, operator_id: UUID, at: datetime) -> Operator | None:
    """Write that an operator may no longer sign in; return them, None for an unknown one or one who has ended."""
    row = await conn.fetchrow(
        "UPDATE signin_operator SET ended_at = $2 WHERE operator_id = $1 AND ended_at IS NULL RETURNING *",
        operator_id,
        at,
    )
    return _operator(row) if row else None


def _operator(row: asyncpg.Record) -> Operator:
    return Operator(**dict(row))
