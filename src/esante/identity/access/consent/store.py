"""The SQL of consents: records, grants, blocks, codes, attempts, reviews."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access.model import Consent, Grant, GrantKind, RecordState

RECORD = Table(
    "access_record",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "state": "text",
        "announced_at": "timestamptz",
        "objection_until": "timestamptz",
        "changed_at": "timestamptz",
    },
)
GRANT = Table(
    "access_grant",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "grant_id": "uuid",
        "kind": "text",
        "holder_kind": "text",
        "holder_id": "uuid",
        "holder": "text",
        "since": "timestamptz",
        "until": "timestamptz",
        "revoked_at": "timestamptz",
        "reason": "text",
    },
)
BLOCK = Table(
    "access_block",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "subject_id": "uuid",
        "subject_kind": "text",
        "subject": "text",
        "since": "timestamptz",
    },
)
CODE = Table(
    "access_code",
    Kind.LOCAL,
    {"code_hash": "bytea", "person_id": "uuid", "lasts": "interval", "expires_at": "timestamptz"},
)
ATTEMPT = Table(
    "access_attempt", Kind.LOCAL, {"subject": "text", "window_start": "timestamptz", "attempts": "integer"}
)
REVIEW = Table(
    "access_review",
    Kind.LOCAL,
    {
        "grant_id": "uuid",
        "person_id": "uuid",
        "practitioner_id": "uuid",
        "practitioner": "text",
        "organization": "text",
        "reason": "text",
        "declared_at": "timestamptz",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """The life of a record, as its own pages need it."""

    person_id: UUID
    state: RecordState
    announced_at: datetime | None
    objection_until: datetime | None
    sharing: bool
    deceased_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A practitioner or an organisation that a person blocked."""

    subject_id: UUID
    subject_kind: str
    subject: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A presence code as kept: whose, how long the grant lasts that it gives, until when it may be entered."""

    person_id: UUID
    lasts: timedelta
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """An emergency access in the operators' queue; open while `reviewed_at` is None."""

    grant_id: UUID
    person_id: UUID
    practitioner_id: UUID
    practitioner: str
    organization: str
    reason: str
    declared_at: datetime
    reviewed_at: datetime | None
    reviewer: str
    verdict: str
    note: str


_grants = msgspec.json.Decoder(list[Grant])
_CONSENT = """
SELECT r.person_id, r.state, r.sharing, r.deceased_at,
    (SELECT json_agg(json_build_object('id', g.grant_id, 'person_id', g.person_id, 'kind', g.kind,
         'holder_kind', g.holder_kind, 'holder_id', g.holder_id, 'since', g.since, 'until', g.until,
         'reason', g.reason, 'holder', g.holder) ORDER BY g.grant_id)
     FROM access_grant g
     WHERE g.person_id = r.person_id AND g.revoked_at IS NULL AND (g.until IS NULL OR g.until > now())) AS grants,
    (SELECT array_agg(b.subject_id) FROM access_block b WHERE b.person_id = r.person_id) AS blocked
FROM access_record r WHERE r.person_id = ANY($1)
"""


async def consent(conn: Connection, person_id: UUID) -> Consent:
    """What a decision needs of a person, within a transaction; of an unknown one, that there is no record."""
    return (await consents(conn, [person_id])).get(person_id, Consent(person_id=person_id, state=RecordState.NONE))


async def consents(db: Database | Connection, persons: Sequence[UUID]) -> dict[UUID, Consent]:
    """What decisions need of those of `persons` who have a record, in one round trip."""
    return {row["person_id"]: _consent(row) for row in await db.fetch(_CONSENT, persons)}


def _consent(row: asyncpg.Record) -> Consent:
    person_id, state, sharing, deceased_at, grants, blocked = row
    return Consent(
        person_id=person_id,
        state=RecordState(state),
        sharing=sharing,
        grants=tuple(_grants.decode(grants)) if grants else (),
        blocked=frozenset(blocked or ()),
        deceased_at=deceased_at,
    )


_RECORD = (
    "SELECT person_id, state, announced_at, objection_until, sharing, deceased_at"
    " FROM access_record WHERE person_id = $1"
)


async def record(db: Database | Connection, person_id: UUID, *, lock: bool = False) -> RecordRow | None:
    """The life of a person's record; `lock` holds it until the end of the transaction."""
    row = await db.fetchrow(_RECORD + (" FOR UPDATE" if lock else ""), person_id)
    return RecordRow(**{**row, "state": RecordState(row["state"])}) if row else None


async def add_records(
    conn: Connection, persons: Sequence[UUID], announced_at: datetime, objection_until: datetime
) -> list[UUID]:
    """Begin the records of those of `persons` who have none; returns them."""
    count = len(persons)
    rows = await conn.fetch(
        f"{RECORD.insert_sql()} ON CONFLICT (person_id) DO NOTHING RETURNING person_id",
        list(persons),
        [RecordState.ANNOUNCED.value] * count,
        [announced_at] * count,
        [objection_until] * count,
        [announced_at] * count,
    )
    return [row["person_id"] for row in rows]


async def set_state(conn: Connection, person_id: UUID, state: RecordState, at: datetime) -> None:
    """Write the state of a record."""
    await conn.execute(
        "UPDATE access_record SET state = $2, changed_at = $3 WHERE person_id = $1", person_id, state.value, at
    )


async def due(db: Database, now: datetime, limit: int) -> list[UUID]:
    """Persons whose time to object has ended."""
    rows = await db.fetch(
        "SELECT person_id FROM access_record WHERE state = 'announced' AND objection_until <= $1 LIMIT $2",
        now,
        limit,
    )
    return [row["person_id"] for row in rows]


async def open_due(conn: Connection, persons: Sequence[UUID], now: datetime) -> list[UUID]:
    """Open those of `persons` that are still due; returns them."""
    rows = await conn.fetch(
        "UPDATE access_record SET state = 'open', changed_at = $2 WHERE person_id = ANY($1)"
        " AND state = 'announced' AND objection_until <= $2 RETURNING person_id",
        list(persons),
        now,
    )
    return [row["person_id"] for row in rows]


async def set_sharing(conn: Connection, person_id: UUID, sharing: bool) -> None:
    """Opt out of sharing, or in again."""
    await conn.execute("UPDATE access_record SET sharing = $2 WHERE person_id = $1", person_id, sharing)


async def set_deceased(conn: Connection, person_id: UUID, at: datetime | None) -> None:
    """Note when a person died."""
    await conn.execute("UPDATE access_record SET deceased_at = $2 WHERE person_id = $1", person_id, at)


def grant_row(grant: Grant) -> Row:
    """The row of a new grant."""
    return (
        GRANT,
        (
            grant.person_id,
            grant.id,
            grant.kind.value,
            grant.holder_kind,
            grant.holder_id,
            grant.holder,
            grant.since,
            grant.until,
            None,
            grant.reason,
        ),
    )


async def active_grants(db: Database | Connection, person_id: UUID) -> list[Grant]:
    """A person's grants in force, newest first."""
    rows = await db.fetch(
        "SELECT * FROM access_grant WHERE person_id = $1 AND revoked_at IS NULL"
        " AND (until IS NULL OR until > now()) ORDER BY grant_id DESC",
        person_id,
    )
    return [_grant(row) for row in rows]


async def revoke(conn: Connection, person_id: UUID, grant_id: UUID, at: datetime) -> None:
    """End a grant now."""
    await conn.execute(
        "UPDATE access_grant SET revoked_at = $3 WHERE person_id = $1 AND grant_id = $2", person_id, grant_id, at
    )


async def end_at(conn: Connection, person_id: UUID, grant_id: UUID, until: datetime) -> Grant:
    """Give a grant its end; returns it."""
    row = await conn.fetchrow(
        "UPDATE access_grant SET until = $3 WHERE person_id = $1 AND grant_id = $2 RETURNING *",
        person_id,
        grant_id,
        until,
    )
    return _grant(row)


_HELD = """
FROM access_grant g JOIN access_record r USING (person_id)
WHERE g.holder_id = ANY($1) AND g.revoked_at IS NULL AND (g.until IS NULL OR g.until > now())
  AND g.since <= now() AND r.state = 'open' AND r.sharing AND (r.deceased_at IS NULL OR r.deceased_at > $2)
  AND NOT EXISTS (SELECT FROM access_block b WHERE b.person_id = g.person_id AND b.subject_id = ANY($3))
"""
"""Grants in force of some holders ($1), of records that they open: of none who died before $2 or blocked one of $3.

The one question across persons: on a distributed database it is asked of every node, by an index on each.
"""


async def held_by(db: Database, holders: Sequence[UUID], limit: int, died_after: datetime) -> list[Grant]:
    """The newest grants in force of some holders, of records that they open."""
    rows = await db.fetch(
        f"SELECT g.* {_HELD} ORDER BY g.grant_id DESC LIMIT $4",
        list(holders),
        died_after,
        list(holders),
        limit,
    )
    return [_grant(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Grants of `holders` for those for whom one acts (`acting`: none of them is blocked); of `only` one person."""

    holders: Sequence[UUID]
    acting: Sequence[UUID]
    only: UUID | None


async def persons_held(db: Database, held: Held, died_after: datetime, after: UUID, limit: int) -> list[UUID]:
    """The persons of grants in force, by key, those after one."""
    rows = await db.fetch(
        f"SELECT DISTINCT g.person_id {_HELD} AND ($4::uuid IS NULL OR g.person_id = $4)"
        " AND g.person_id > $5 ORDER BY g.person_id LIMIT $6",
        list(held.holders),
        died_after,
        list(held.acting),
        held.only,
        after,
        limit,
    )
    return [row["person_id"] for row in rows]


async def count_held(db: Database, held: Held, died_after: datetime) -> int:
    """How many persons there are with grants in force."""
    found: int = await db.fetchval(
        f"SELECT count(DISTINCT g.person_id) {_HELD} AND ($4::uuid IS NULL OR g.person_id = $4)",
        list(held.holders),
        died_after,
        list(held.acting),
        held.only,
    )
    return found


def _grant(row: asyncpg.Record) -> Grant:
    return Grant(
        id=row["grant_id"],
        person_id=row["person_id"],
        kind=GrantKind(row["kind"]),
        holder_kind=row["holder_kind"],
        holder_id=row["holder_id"],
        since=row["since"],
        until=row["until"],
        revoked_at=row["revoked_at"],
        reason=row["reason"],
        holder=row["holder"],
    )


async def blocks(db: Database | Connection, person_id: UUID) -> list[Block]:
    """Whom a person blocked, newest first."""
    rows = await db.fetch(
        "SELECT subject_id, subject_kind, subject, since FROM access_block WHERE person_id = $1 ORDER BY since DESC",
        person_id,
    )
    return [Block(**row) for row in rows]


async def unblock(conn: Connection, person_id: UUID, subject_id: UUID) -> None:
    """Lift a block."""
    await conn.execute("DELETE FROM access_block WHERE person_id = $1 AND subject_id = $2", person_id, subject_id)


async def code(conn: Connection, code_hash: bytes) -> Code | None:
    """A presence code, held until the end of the transaction."""
    row = await conn.fetchrow(
        "SELECT person_id, lasts, expires_at, used_at FROM access_code WHERE code_hash = $1 FOR UPDATE", code_hash
    )
    return Code(**row) if row else None


async def use_code(conn: Connection, code_hash: bytes, at: datetime) -> None:
    """Mark a presence code as used."""
    await conn.execute("UPDATE access_code SET used_at = $2 WHERE code_hash = $1", code_hash, at)


async def count_attempts(db: Database, subjects: Sequence[str], window_start: datetime) -> list[int]:
    """Count one more attempt of each of `subjects` in a window; returns how many there are now."""
    rows = await db.fetch(
        f"{ATTEMPT.insert_sql()} ON CONFLICT (subject, window_start)"
        " DO UPDATE SET attempts = access_attempt.attempts + 1 RETURNING subject, attempts",
        sorted(subjects),
        [window_start] * len(subjects),
        [1] * len(subjects),
    )
    counts = {row["subject"]: row["attempts"] for row in rows}
    return [counts[subject] for subject in subjects]


_REVIEW = (
    "SELECT grant_id, person_id, practitioner_id, practitioner, organization, reason, declared_at,"
    " reviewed_at, reviewer, verdict, note FROM access_review"
)


async def reviews(db: Database, *, done: bool, before: UUID | None, limit: int) -> list[Review]:
    """Emergencies that are reviewed or not, newest first, those before `before` only."""
    rows = await db.fetch(
        f"{_REVIEW} WHERE (reviewed_at IS NOT NULL) = $1 AND ($2::uuid IS NULL OR grant_id < $2)"
        " ORDER BY grant_id DESC LIMIT $3",
        done,
        before,
        limit,
    )
    return [Review(**row) for row in rows]


async def review(db: Database | Connection, grant_id: UUID, *, lock: bool = False) -> Review | None:
    """An emergency in the queue; `lock` holds it until the end of the transaction."""
    row = await db.fetchrow(f"{_REVIEW} WHERE grant_id = $1" + (" FOR UPDATE" if lock else ""), grant_id)
    return Review(**row) if row else None


async def finish_review(
    conn: Connection, grant_id: UUID, at: datetime, reviewer: str, verdict: str, note: str
) -> None:
    """Write what an operator found."""
    await conn.execute(
        "UPDATE access_review SET reviewed_at = $2, reviewer = $3, verdict = $4, note = $5 WHERE grant_id = $1",
        grant_id,
        at,
        reviewer,
        verdict,
        note,
    )


async def tidy(conn: Connection, now: datetime) -> None:
    """Remove what has served its time: old codes, attempts, tokens and assertions."""
    month_ago = now - timedelta(days=30)
    await conn.execute("DELETE FROM access_code WHERE expires_at < $1", month_ago)
    await conn.execute("DELETE FROM access_attempt WHERE window_start < $1", now - timedelta(days=1))
    await conn.execute("DELETE FROM access_token WHERE expires_at < $1", now)
    await conn.execute("DELETE FROM access_assertion WHERE expires_at < $1", now)
