"""The SQL of letters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.contract import NoticeKind
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.notices.model import Letter, Notice

LETTER = Table(
    "notice_letter",
    Kind.LOCAL,
    {
        "notice_id": "uuid",
        "person_id": "uuid",
        "at": "timestamptz",
        "kind": "text",
        "actor": "text",
        "categories": "text",
    },
)
_STATUS = {"waiting": "batch_id IS NULL", "taken": "batch_id IS NOT NULL"}


@dataclass(frozen=True, slots=True)
class LetterBatch:
    """Letters that an operator took together."""

    id: UUID
    letters: int
    taken_at: datetime
    taken_by: str


def letter_row(notice: Notice) -> Row:
    """Return the row of a letter that waits."""
    categories = " ".join(notice.categories)
    return LETTER, (notice.id, notice.person_id, notice.at, notice.kind.name, notice.actor, categories)


async def page(
    db: Database,
    status: str,
    person_id: UUID | None,
    before: UUID | None,
    limit: int,
    kinds: Mapping[str, NoticeKind],
) -> list[Letter]:
    """Return letters that wait, or that were taken (`status`), of the known `kinds`, the newest first."""
    rows = await db.fetch(
        f"SELECT * FROM notice_letter WHERE {_STATUS[status]}"  # noqa: S608 - constants
        " AND ($1::uuid IS NULL OR person_id = $1) AND ($2::uuid IS NULL OR notice_id < $2) AND kind = ANY ($3)"
        " ORDER BY notice_id DESC LIMIT $4",
        person_id,
        before,
        [*kinds],
        limit,
    )
    return [_letter(row, kinds) for row in rows]


async def count_waiting(db: Database) -> int:
    """Return the number of letters that wait."""
    return int(await db.fetchval("SELECT count(*) FROM notice_letter WHERE batch_id IS NULL"))


async def take(
    conn: Connection, batch_id: UUID, at: datetime, by: str, limit: int, kinds: Mapping[str, NoticeKind]
) -> list[Letter]:
    """Put the oldest letters that wait into a batch, and return them."""
    rows = await conn.fetch(
        "UPDATE notice_letter SET batch_id = $1, taken_at = $2, taken_by = $3 WHERE notice_id IN ("
        " SELECT notice_id FROM notice_letter WHERE batch_id IS NULL AND kind = ANY ($4)"
        " ORDER BY notice_id LIMIT $5 FOR UPDATE SKIP LOCKED) RETURNING *",
        batch_id,
        at,
        by,
        [*kinds],
        limit,
    )
    return sorted((_letter(row, kinds) for row in rows), key=lambda letter: letter.id)


async def fetch_batch(db: Database, batch_id: UUID, kinds: Mapping[str, NoticeKind]) -> list[Letter]:
    """Return the letters of a batch, the oldest first."""
    rows = await db.fetch("SELECT * FROM notice_letter WHERE batch_id = $1 ORDER BY notice_id", batch_id)
    return [_letter(row, kinds) for row in rows if row["kind"] in kinds]


async def fetch_batches(db: Database, limit: int) -> list[LetterBatch]:
    """Return the last batches, the newest first."""
    rows = await db.fetch(
        "SELECT batch_id, count(*), max(taken_at), max(taken_by) FROM notice_letter WHERE batch_id IS NOT NULL"
        " GROUP BY batch_id ORDER BY batch_id DESC LIMIT $1",
        limit,
    )
    return [LetterBatch(*row) for row in rows]


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete the letters of a person, those that wait too; return how many."""
    status = await conn.execute("DELETE FROM notice_letter WHERE person_id = $1", person_id)
    return int(status.rpartition(" ")[2])


def _letter(row: Any, kinds: Mapping[str, NoticeKind]) -> Letter:
    return Letter(
        id=row["notice_id"],
        person_id=row["person_id"],
        at=row["at"],
        kind=kinds[row["kind"]],
        actor=row["actor"],
        categories=tuple(row["categories"].split()),
        batch_id=row["batch_id"],
        taken_at=row["taken_at"],
    )
