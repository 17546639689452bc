"""SQL of marked and invented persons."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.health.context.people import Mark
from esante.services.soc.health.lists.model import MarkedPerson

MARKED_PERSON = Table(
    "soc_marked_person",
    Kind.LOCAL,
    {
        "person_id": "uuid",
        "mark": "text",
        "reason": "text",
        "proposed_by": "text",
        "proposed_at": "timestamptz",
        "confirmed_by": "text",
        "confirmed_at": "timestamptz",
        "ended_by": "text",
        "ended_at": "timestamptz",
    },
)
INVENTED_PERSON = Table("soc_invented_person", Kind.LOCAL, {"person_id": "uuid", "entry": "jsonb"})
_MARK = f"SELECT {', '.join(MARKED_PERSON.columns)} FROM soc_marked_person"  # noqa: S608 - declared in code


def mark_row(mark: MarkedPerson) -> Row:
    """Return the row of a new mark."""
    return MARKED_PERSON, tuple(getattr(mark, name) for name in MARKED_PERSON.columns)


def invented_row(person_id: UUID, entry: str) -> Row:
    """Return the row of an invented person who is not in the directory yet; `entry`: as JSON."""
    return INVENTED_PERSON, (person_id, entry)


async def fetch_marks(db: Database | Connection, persons: Collection[UUID]) -> Mapping[UUID, Mark]:
    """Return the marks of persons that are in force; of a person with both, that they are invented."""
    rows = await db.fetch(
        "SELECT person_id, mark FROM soc_marked_person WHERE person_id = ANY($1) AND confirmed_at IS NOT NULL"
        " AND ended_at IS NULL ORDER BY mark DESC",
        [*persons],
    )
    return {row["person_id"]: Mark(row["mark"]) for row in rows}


async def fetch_all(db: Database | Connection, mark: Mark) -> Sequence[MarkedPerson]:
    """Return the marks of a kind, the newest first."""
    rows = await db.fetch(f"{_MARK} WHERE mark = $1 ORDER BY proposed_at DESC, person_id", mark.value)
    return [_mark(row) for row in rows]


async def lock_mark(conn: Connection, person_id: UUID, mark: Mark) -> MarkedPerson | None:
    """Return a mark and lock it until the end of the transaction; None for none."""
    row = await conn.fetchrow(f"{_MARK} WHERE person_id = $1 AND mark = $2 FOR UPDATE", person_id, mark.value)
    return _mark(row) if row else None


async def fetch_invented_entry(conn: Connection, person_id: UUID) -> str:
    """Return the entry of an invented person as it was proposed, as JSON."""
    return str(await conn.fetchval("SELECT entry FROM soc_invented_person WHERE person_id = $1", person_id))


async def confirm(conn: Connection, mark: MarkedPerson, by: str, at: datetime) -> None:
    """Keep that a mark is confirmed."""
    await conn.execute(
        "UPDATE soc_marked_person SET confirmed_by = $3, confirmed_at = $4 WHERE person_id = $1 AND mark = $2",
        mark.person_id,
        mark.mark.value,
        by,
        at,
    )


async def end(conn: Connection, mark: MarkedPerson, by: str, at: datetime) -> None:
    """Keep that a mark has ended."""
    await conn.execute(
        "UPDATE soc_marked_person SET ended_by = $3, ended_at = $4 WHERE person_id = $1 AND mark = $2",
        mark.person_id,
        mark.mark.value,
        by,
        at,
    )


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete the watch of a person whose record is deleted; that somebody is invented stays."""
    status = await conn.execute("DELETE FROM soc_marked_person WHERE person_id = $1 AND mark = 'watched'", person_id)
    return int(str(status).rpartition(" ")[2])


def _mark(row: Any) -> MarkedPerson:
    return MarkedPerson(**dict(row) | {"mark": Mark(row["mark"])})
