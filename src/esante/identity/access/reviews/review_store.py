"""The SQL of the reviews of emergency accesses and of admissions without proof of presence, and of alarms."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access.model import Grant, Requester

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
        "kind": "text",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The review of an access by operators; pending while `reviewed_at` is None.

    `kind`: emergency, or stay: an admission without proof of presence, whose `practitioner` is the organisation.
    """

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
    kind: str = "emergency"


_REVIEW = (
    "SELECT grant_id, person_id, practitioner_id, practitioner, organization, reason, declared_at,"
    " reviewed_at, reviewer, verdict, note, kind FROM access_review"
)


def review_row(grant: Grant, requester: Requester, kind: str) -> Row:
    """Return the row of a pending review of a grant that the requester got."""
    values = (
        grant.id,
        grant.person_id,
        requester.id,
        requester.name,
        requester.organization,
        grant.reason,
        grant.since,
        kind,
    )
    return REVIEW, values


async def fetch_reviews(db: Database, kind: str, *, done: bool, before: UUID | None, limit: int) -> list[Review]:
    """Return reviews of a kind that are done, or pending, newest first; with `before` only those of older grants."""
    rows = await db.fetch(
        f"{_REVIEW} WHERE (reviewed_at IS NOT NULL) = $1 AND ($2::uuid IS NULL OR grant_id < $2)"
        " AND kind = $4 ORDER BY grant_id DESC LIMIT $3",
        done,
        before,
        limit,
        kind,
    )
    return [Review(**row) for row in rows]


async def fetch_review(db: Database | Connection, grant_id: UUID, *, lock: bool = False) -> Review | None:
    """Return the review of a grant, or None; with `lock` its row is locked until the end of the transaction."""
    row = await db.fetchrow(f"{_REVIEW} WHERE grant_id = $1" + (" FOR UPDATE" if lock else ""), grant_id)
    return Review(**row) if row else None


async def fetch_unread_verdicts(db: Database, practitioner_id: UUID, limit: int) -> list[Review]:
    """Return the reviews of a practitioner's accesses that are done and that they have not read, newest first."""
    rows = await db.fetch(
        f"{_REVIEW} WHERE practitioner_id = $1 AND kind = 'emergency' AND reviewed_at IS NOT NULL"
        " AND acknowledged_at IS NULL ORDER BY grant_id DESC LIMIT $2",
        practitioner_id,
        limit,
    )
    return [Review(**row) for row in rows]


async def count_others(db: Database, review: Review, since: datetime) -> tuple[int, int]:
    """Return how many other accesses of the same kind and holder there were since a moment, and how many of them were
    found not justified."""
    row = await db.fetchrow(
        "SELECT count(*), count(*) FILTER (WHERE verdict = 'unjustified') FROM access_review"
        " WHERE practitioner_id = $1 AND kind = $2 AND declared_at >= $3 AND grant_id <> $4",
        review.practitioner_id,
        review.kind,
        since,
        review.grant_id,
    )
    return (row[0], row[1]) if row else (0, 0)


async def mark_acknowledged(conn: Connection, grant_id: UUID, at: datetime) -> bool:
    """Write that a verdict was read; return whether it had not been read before."""
    marked = await conn.fetchval(
        "UPDATE access_review SET acknowledged_at = $2 WHERE grant_id = $1 AND acknowledged_at IS NULL RETURNING true",
        grant_id,
        at,
    )
    return bool(marked)


async def complete_review(
    conn: Connection, grant_id: UUID, at: datetime, reviewer: str, verdict: str, note: str
) -> None:
    """Write the verdict of an operator."""
    await conn.execute(
        "UPDATE access_review SET reviewed_at = $2, reviewer = $3, verdict = $4, note = $5 WHERE grant_id = $1",
        grant_id,
        at,
        reviewer,
        verdict,
        note,
    )


async def delete_pending(conn: Connection, grant_id: UUID) -> None:
    """Delete the review of a grant that needs none any more; one that is done stays."""
    await conn.execute("DELETE FROM access_review WHERE grant_id = $1 AND reviewed_at IS NULL", grant_id)


ALARM = Table(
    "access_alarm",
    Kind.LOCAL,
    {
        "alarm_id": "uuid",
        "organization_id": "uuid",
        "organization": "text",
        "at": "timestamptz",
        "admissions": "integer",
        "most": "integer",
        "hours": "integer",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An organisation that reported unusually many admissions within `hours`, of `most` that it may report."""

    alarm_id: UUID
    organization_id: UUID
    organization: str
    at: datetime
    admissions: int
    most: int
    hours: int


async def fetch_alarms(db: Database, limit: int) -> list[Alarm]:
    """Return the alarms that no operator has seen, newest first."""
    rows = await db.fetch(
        "SELECT alarm_id, organization_id, organization, at, admissions, most, hours FROM access_alarm"
        " WHERE seen_at IS NULL ORDER BY alarm_id DESC LIMIT $1",
        limit,
    )
    return [Alarm(**row) for row in rows]


async def mark_alarm_seen(db: Database, alarm_id: UUID, at: datetime, by: str) -> None:
    """Write that an operator saw an alarm."""
    await db.fetchval(
        "UPDATE access_alarm SET seen_at = $2, seen_by = $3 WHERE alarm_id = $1 AND seen_at IS NULL RETURNING true",
        alarm_id,
        at,
        by,
    )
