"""The SQL of permits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.permits.model import Permit, PermitKind

PERMIT = Table(
    "research_permit",
    Kind.LOCAL,
    {
        "permit_id": "uuid",
        "application_id": "uuid",
        "holder_id": "uuid",
        "columns": "jsonb",
        "valid_from": "date",
        "valid_to": "date",
        "withdrawn_at": "timestamptz",
        "kind": "text",
        "title": "text",
        "purpose": "text",
        "summary": "text",
        "holder": "text",
        "conditions": "text",
        "reason": "text",
        "issued_at": "timestamptz",
    },
)
MEMBER = Table("research_permit_member", Kind.LOCAL, {"permit_id": "uuid", "account_id": "uuid"})
_SELECT = """
    SELECT p.*, ARRAY(SELECT account_id FROM research_permit_member AS m WHERE m.permit_id = p.permit_id) AS members
    FROM research_permit AS p
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitSearch:
    """Which permits are searched: of a state on `day` and a kind ("" for any), with every word somewhere.

    `member`: only those on which an account is named. `datasets`: only those that cover one of them (None: of any).
    """

    day: date
    words: Sequence[str] = ()
    state: str = ""
    kind: str = ""
    datasets: Collection[str] | None = None
    member: UUID | None = None


def permit_rows(permit: Permit) -> list[Row]:
    """Return the rows of a permit and its members."""
    row = (
        permit.permit_id,
        permit.application_id,
        permit.holder_id,
        columns_json(permit.columns),
        permit.valid_from,
        permit.valid_to,
        permit.withdrawn_at,
        permit.kind.value,
        permit.title,
        permit.purpose,
        permit.summary,
        permit.holder,
        permit.conditions,
        permit.reason,
        permit.issued_at,
    )
    return [(PERMIT, row), *((MEMBER, (permit.permit_id, member)) for member in sorted(permit.members))]


async def find_permit(db: Database | Connection, permit_id: UUID) -> Permit | None:
    """Return a permit, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE p.permit_id = $1", permit_id)
    return _permit(row) if row else None


async def find_for(db: Database | Connection, account_id: UUID, permit_id: UUID) -> Permit | None:
    """Return a permit on which an account is named, or None."""
    row = await db.fetchrow(
        f"{_SELECT} JOIN research_permit_member AS m USING (permit_id) WHERE p.permit_id = $1 AND m.account_id = $2",
        permit_id,
        account_id,
    )
    return _permit(row) if row else None


async def lock_permit(conn: Connection, permit_id: UUID) -> Permit | None:
    """Return a permit, locked until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow(f"{_SELECT} WHERE p.permit_id = $1 FOR UPDATE OF p", permit_id)
    return _permit(row) if row else None


async def search(db: Database, wanted: PermitSearch, before: UUID | None, limit: int) -> list[Permit]:
    """Return the newest permits, before one."""
    rows = await db.fetch(
        f"""
        {_SELECT}
        WHERE ($1::uuid IS NULL OR p.permit_id < $1) AND ($2 = '' OR p.kind = $2)
          AND ($3 = '' OR $3 = CASE WHEN p.withdrawn_at IS NOT NULL THEN 'withdrawn'
              WHEN p.valid_to < $4 THEN 'expired' WHEN p.valid_from > $4 THEN 'coming' ELSE 'valid' END)
          AND ($5::uuid IS NULL OR EXISTS (SELECT FROM research_permit_member AS m
              WHERE m.permit_id = p.permit_id AND m.account_id = $5))
          AND ($6::text[] IS NULL OR EXISTS (SELECT FROM jsonb_object_keys(p.columns) AS t (name)
              WHERE split_part(t.name, '.', 1) = ANY($6)))
          AND NOT EXISTS (SELECT FROM unnest($7::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', p.title, p.summary, p.holder))) = 0)
        ORDER BY p.permit_id DESC LIMIT $8
        """,  # noqa: S608 - the select is a constant
        before,
        wanted.kind,
        wanted.state,
        wanted.day,
        wanted.member,
        None if wanted.datasets is None else list(wanted.datasets),
        list(wanted.words),
        limit,
    )
    return [_permit(row) for row in rows]


async def write_withdrawal(conn: Connection, permit_id: UUID, at: datetime, reason: str) -> None:
    """Write that a permit was withdrawn."""
    await conn.execute(
        "UPDATE research_permit SET withdrawn_at = $2, reason = $3 WHERE permit_id = $1", permit_id, at, reason
    )


async def mark_expired(conn: Connection, day: date, at: datetime) -> list[Permit]:
    """Return the permits whose last day has passed, and mark that it is journalled."""
    rows = await conn.fetch(
        "UPDATE research_permit SET expired_at = $2"
        " WHERE expired_at IS NULL AND withdrawn_at IS NULL AND valid_to < $1"
        " RETURNING *, '{}'::uuid[] AS members",
        day,
        at,
    )
    return [_permit(row) for row in rows]


def columns_json(columns: Mapping[str, frozenset[str]]) -> str:
    """Return columns by table as JSON, in a fixed order."""
    return orjson.dumps({table: sorted(columns[table]) for table in sorted(columns)}).decode()


def columns_of(content: str) -> Mapping[str, frozenset[str]]:
    """Return columns by table out of JSON."""
    return {table: frozenset(names) for table, names in orjson.loads(content).items()}


def _permit(row: Any) -> Permit:
    fields = {name: row[name] for name in PERMIT.columns}
    return Permit(
        **{
            **fields,
            "columns": columns_of(row["columns"]),
            "kind": PermitKind(row["kind"]),
            "members": frozenset(row["members"]),
        }
    )
