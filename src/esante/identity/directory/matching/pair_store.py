"""The SQL of pairs of entries that may be of one person."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import NIL, Connection, Database, Kind, Table, insert_in_batches
from esante.identity.directory.model import Person
from esante.identity.directory.store import fetch_persons

PAIR = Table(
    "directory_pair",
    Kind.LOCAL,
    {
        "first_id": "uuid",
        "second_id": "uuid",
        "bits": "double precision",
        "grade": "text",
        "found_at": "timestamptz",
    },
    once=True,
)
_BATCH = 5_000
_NOT_MERGED = (
    "NOT EXISTS (SELECT 1 FROM directory_merge m WHERE m.state = 'merged'"
    " AND ((m.losing_id = p.first_id AND m.surviving_id = p.second_id)"
    " OR (m.losing_id = p.second_id AND m.surviving_id = p.first_id)))"
)
_HAS_WORDS = (
    "($2 = '' OR EXISTS (SELECT 1 FROM person h WHERE h.id IN (p.first_id, p.second_id)"
    " AND (h.family_key LIKE $2 || '%' OR h.given_key LIKE $2 || '%'))"
    " OR EXISTS (SELECT 1 FROM person_identifier i WHERE i.value = $3 AND i.person_id IN (p.first_id, p.second_id)))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPair:
    """A pair as the last search found it, and what an operator said of it."""

    first_id: UUID
    second_id: UUID
    bits: float
    grade: str
    found_at: datetime
    state: str = "open"
    judged_at: datetime | None = None
    judged_by: UUID | None = None
    judge: str = ""
    reason: str = ""


async def fetch_everybody(db: Database) -> AsyncIterator[list[Person]]:
    """Yield all persons in batches, by their keys."""
    after = NIL
    while True:
        rows = await db.fetch("SELECT id FROM person WHERE id > $1 ORDER BY id LIMIT $2", after, _BATCH)
        if not rows:
            return
        yield await fetch_persons(db, [row["id"] for row in rows])
        after = rows[-1]["id"]


async def count_everybody(db: Database) -> int:
    """Return how many entries of persons there are."""
    return int(await db.fetchval("SELECT count(*) FROM person"))


async def replace_pairs(conn: Connection, pairs: Sequence[StoredPair]) -> None:
    """Write the pairs of a new search in place of those that still wait; what operators judged stays."""
    await conn.execute("DELETE FROM directory_pair WHERE state = 'open'")
    rows = [(PAIR, (one.first_id, one.second_id, one.bits, one.grade, one.found_at)) for one in pairs]
    await insert_in_batches(conn, rows)


async def list_pairs(
    db: Database, state: str, text: str, identifier: str, offset: int, limit: int
) -> list[StoredPair]:
    """Return pairs of a state that are not merged, the surest first.

    `text`: the beginning of a normalised name of one of the two; `identifier`: an identifier of one.
    """
    rows = await db.fetch(
        f"SELECT p.* FROM directory_pair p WHERE p.state = $1 AND {_NOT_MERGED} AND {_HAS_WORDS}"  # noqa: S608 - constants
        " ORDER BY p.bits DESC, p.first_id, p.second_id LIMIT $4 OFFSET $5",
        state,
        text,
        identifier,
        limit,
        offset,
    )
    return [_pair(row) for row in rows]


async def count_open(db: Database, most: int) -> int:
    """Return how many pairs wait for an operator, at most `most`."""
    return int(
        await db.fetchval(
            f"SELECT count(*) FROM (SELECT FROM directory_pair p WHERE state = 'open' AND {_NOT_MERGED} LIMIT $1) one",  # noqa: S608 - constants
            most,
        )
    )


async def fetch_pair(db: Database, first_id: UUID, second_id: UUID) -> StoredPair | None:
    """Return a pair, or None when no search found it."""
    row = await db.fetchrow("SELECT * FROM directory_pair WHERE first_id = $1 AND second_id = $2", first_id, second_id)
    return _pair(row) if row else None


async def judge_pair(
    conn: Connection, pair: StoredPair, at: datetime, judged_by: UUID, judge: str, reason: str
) -> bool:
    """Write that a pair is of two people; return False when it was written before."""
    written = await conn.fetchval(
        "INSERT INTO directory_pair (first_id, second_id, bits, grade, found_at, state, judged_at, judged_by, judge,"
        " reason) VALUES ($1, $2, $3, $4, $5, 'different', $6, $7, $8, $9)"
        " ON CONFLICT (first_id, second_id) DO UPDATE SET state = 'different', judged_at = $6, judged_by = $7,"
        " judge = $8, reason = $9 WHERE directory_pair.state = 'open' RETURNING true",
        pair.first_id,
        pair.second_id,
        pair.bits,
        pair.grade,
        pair.found_at,
        at,
        judged_by,
        judge,
        reason,
    )
    return bool(written)


async def reopen_pair(conn: Connection, first_id: UUID, second_id: UUID) -> bool:
    """Let a pair that was judged wait again; return whether it had been judged."""
    reopened = await conn.fetchval(
        "UPDATE directory_pair SET state = 'open', judged_at = NULL, judged_by = NULL, judge = '', reason = ''"
        " WHERE first_id = $1 AND second_id = $2 AND state = 'different' RETURNING true",
        first_id,
        second_id,
    )
    return bool(reopened)


def _pair(row: asyncpg.Record) -> StoredPair:
    return StoredPair(**{**row})
