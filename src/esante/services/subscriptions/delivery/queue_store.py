"""The SQL of the queue: waiting events, the claims of workers, and dead letters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from esante.contract import Focus
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.subscriptions.model import (
    DeadLetter,
    EventState,
    QueueFigures,
    Subscription,
    SubscriptionStatus,
    TopicEvent,
)
from esante.services.subscriptions.store import COLUMNS, subscription_from_row

EVENT = Table(
    "subscription_event",
    Kind.LOCAL,
    {
        "subscription_id": "uuid",
        "entry_id": "uuid",
        "person_id": "uuid",
        "focus_type": "text",
        "focus_id": "uuid",
        "at": "timestamptz",
    },
)
LETTER = Table(
    "subscription_letter",
    Kind.LOCAL,
    {
        "subscription_id": "uuid",
        "letter_id": "uuid",
        "upto": "bigint",
        "count": "integer",
        "oldest": "timestamptz",
        "attempts": "integer",
        "error": "text",
        "failed_at": "timestamptz",
    },
)


def event_row(subscription_id: UUID, entry_id: UUID, focus: Focus, at: datetime) -> Row:
    """Return the row of a new event; events are notified in the order of their insertion."""
    return EVENT, (subscription_id, entry_id, focus.person_id, focus.type, focus.id, at)


# Events

_EVENT = "place, focus_type, person_id, focus_id, at, number, told AS journalled, state = 'waiting' AS waiting"


async def fetch_pending(conn: Connection, subscription_id: UUID, limit: int) -> list[TopicEvent]:
    """Return the first waiting events in order, and those before them that were given up without a number.

    `limit`: of waiting events.
    """
    rows = await conn.fetch(
        f"""
        SELECT {_EVENT} FROM subscription_event
        WHERE subscription_id = $1 AND (state = 'waiting' OR number IS NULL) AND place <= (
            SELECT max(place) FROM (
                SELECT place FROM subscription_event
                WHERE subscription_id = $1 AND state = 'waiting' ORDER BY place LIMIT $2) AS first)
        ORDER BY place
        """,  # noqa: S608
        subscription_id,
        limit,
    )
    return [_event(row) for row in rows]


async def fetch_unnumbered(conn: Connection, subscription_id: UUID, limit: int) -> list[TopicEvent]:
    """Return the first events without a number, in order."""
    rows = await conn.fetch(
        f"SELECT {_EVENT} FROM subscription_event"  # noqa: S608
        " WHERE subscription_id = $1 AND number IS NULL ORDER BY place LIMIT $2",
        subscription_id,
        limit,
    )
    return [_event(row) for row in rows]


async def fetch_numbered(
    conn: Connection, subscription_id: UUID, first: int, last: int, limit: int
) -> list[TopicEvent]:
    """Return the events from number `first` to `last`, inclusive."""
    rows = await conn.fetch(
        f"SELECT {_EVENT} FROM subscription_event"  # noqa: S608
        " WHERE subscription_id = $1 AND number BETWEEN $2 AND $3 ORDER BY number LIMIT $4",
        subscription_id,
        first,
        last,
        limit,
    )
    return [_event(row) for row in rows]


async def write_numbers(conn: Connection, subscription_id: UUID, events: Sequence[TopicEvent], total: int) -> None:
    """Write the numbers of events, and the subscription's count of events."""
    await conn.execute(
        "UPDATE subscription_event e SET number = n.number, told = true"
        " FROM unnest($2::bigint[], $3::bigint[]) AS n (place, number)"
        " WHERE e.subscription_id = $1 AND e.place = n.place",
        subscription_id,
        [event.place for event in events],
        [event.number for event in events],
    )
    await conn.execute("UPDATE subscription SET events = $2 WHERE subscription_id = $1", subscription_id, total)


async def delete_events(conn: Connection, subscription_id: UUID, places: Iterable[int]) -> None:
    """Delete events that may not be notified."""
    await conn.execute(
        "DELETE FROM subscription_event WHERE subscription_id = $1 AND place = ANY ($2)", subscription_id, list(places)
    )


async def settle_events(
    conn: Connection,
    subscription_id: UUID,
    state: EventState,
    at: datetime,
    *,
    places: Sequence[int] = (),
    upto: int = 0,
) -> int:
    """Set the final state of the waiting events at `places` and of all up to place `upto`; return how many."""
    rows = await conn.fetch(
        "UPDATE subscription_event SET state = $2, settled_at = $3"
        " WHERE subscription_id = $1 AND state = 'waiting' AND (place = ANY ($4) OR place <= $5) RETURNING place",
        subscription_id,
        state.value,
        at,
        list(places),
        upto,
    )
    return len(rows)


async def delete_waiting(conn: Connection, subscription_id: UUID) -> None:
    """Delete the waiting events and the dead letter of a subscription."""
    for sql in (
        "DELETE FROM subscription_event WHERE subscription_id = $1 AND state = 'waiting'",
        "DELETE FROM subscription_letter WHERE subscription_id = $1",
    ):
        await conn.execute(sql, subscription_id)


# Claims


@dataclass(frozen=True, slots=True)
class Claim:
    """The exclusive right of this process to deliver for a subscription, until the lease expires."""

    key: UUID
    subscription: Subscription


_DUE = """
    s.status IN ('requested', 'active') AND s.retry_at <= now() AND s.claimed_until <= now() AND s.ends_at > now()
    AND (s.status = 'requested' OR EXISTS (
        SELECT FROM subscription_event e WHERE e.subscription_id = s.subscription_id AND e.state = 'waiting'))
"""


async def claim_due(
    db: Database, key: UUID, lease: timedelta, busy: Mapping[str, int], per_endpoint: int, limit: int
) -> list[Claim]:
    """Claim subscriptions with a due handshake or event, those with the fewest failures first.

    `busy`: the deliveries under way in this process by endpoint (origin), of which there may be `per_endpoint` each.
    """
    rows = await db.fetch(
        f"""
        WITH due AS (
            SELECT s.subscription_id, s.failures, s.retry_at,
                row_number() OVER (PARTITION BY s.origin ORDER BY s.failures, s.retry_at, s.subscription_id)
                    + coalesce(b.count, 0) AS rank
            FROM subscription s LEFT JOIN unnest($3::text[], $4::integer[]) AS b (origin, count) USING (origin)
            WHERE {_DUE}
        ), taken AS MATERIALIZED (
            SELECT s.subscription_id FROM subscription s JOIN due USING (subscription_id)
            WHERE due.rank <= $5 AND {_DUE}
            ORDER BY due.failures, due.retry_at LIMIT $6 FOR NO KEY UPDATE OF s SKIP LOCKED
        )
        UPDATE subscription SET claim = $1, claimed_until = now() + $2::interval
        WHERE subscription_id IN (SELECT subscription_id FROM taken) RETURNING {COLUMNS}
        """,  # noqa: S608
        key,
        lease,
        list(busy),
        list(busy.values()),
        per_endpoint,
        limit,
    )
    return [Claim(key, subscription_from_row(row)) for row in rows]


async def lock_claimed(conn: Connection, claim: Claim) -> Subscription | None:
    """Return the claimed subscription as it is now, locked; None when the claim is no longer valid."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM subscription WHERE subscription_id = $1 AND claim = $2 FOR NO KEY UPDATE",  # noqa: S608
        claim.subscription.id,
        claim.key,
    )
    return subscription_from_row(row) if row else None


async def release_claim(conn: Connection | Database, claim: Claim) -> None:
    """Give up a claim, so that others can claim the subscription."""
    await conn.fetchval(
        "UPDATE subscription SET claim = NULL, claimed_until = '-infinity' WHERE subscription_id = $1 AND claim = $2"
        " RETURNING 1",
        claim.subscription.id,
        claim.key,
    )


async def record_success(conn: Connection, subscription_id: UUID, status: SubscriptionStatus, at: datetime) -> None:
    """Record that an endpoint accepted a notification."""
    await conn.execute(
        """
        UPDATE subscription SET status = $2, notified_at = $3, failures = 0, retry_at = '-infinity', error = '',
            version = version + (status <> $2)::integer,
            changed_at = CASE WHEN status <> $2 THEN $3 ELSE changed_at END
        WHERE subscription_id = $1
        """,
        subscription_id,
        status.value,
        at,
    )


async def record_failure(conn: Connection, subscription_id: UUID, failures: int, wait: timedelta, error: str) -> None:
    """Record a failure; the delivery is tried again after `wait`."""
    await conn.execute(
        "UPDATE subscription SET failures = $2, retry_at = now() + $3::interval, error = $4"
        " WHERE subscription_id = $1",
        subscription_id,
        failures,
        wait,
        error,
    )


# Dead letters


async def summarise_waiting(conn: Connection, subscription_id: UUID) -> tuple[int, int, datetime | None]:
    """Return the last place of a waiting event (0: none), the number of waiting events, and the time of the oldest."""
    [row] = await conn.fetch(
        "SELECT coalesce(max(place), 0) AS upto, count(*) AS count, min(at) AS oldest FROM subscription_event"
        " WHERE subscription_id = $1 AND state = 'waiting'",
        subscription_id,
    )
    return row["upto"], row["count"], row["oldest"]


_LETTERS = f"""
SELECT l.letter_id, l.upto, l.count, l.oldest, l.attempts, l.error AS cause, l.failed_at,
    {", ".join(f"s.{column}" for column in COLUMNS.split(", "))}
FROM subscription_letter l JOIN subscription s USING (subscription_id)
"""  # noqa: S608
_HAS_WORDS = "NOT EXISTS (SELECT FROM unnest($1::text[]) AS w (word) WHERE position(w.word IN s.words) = 0)"


async def search_letters(db: Database, words: Sequence[str], before: UUID | None, limit: int) -> list[DeadLetter]:
    """Return dead letters whose subscriber, software or endpoint has all `words`, newest first."""
    rows = await db.fetch(
        f"{_LETTERS} WHERE {_HAS_WORDS} AND ($2::uuid IS NULL OR l.letter_id < $2) ORDER BY l.letter_id DESC LIMIT $3",
        list(words),
        before,
        limit,
    )
    return [_dead_letter(row) for row in rows]


async def fetch_letter(conn: Connection, letter_id: UUID) -> DeadLetter | None:
    """Return a dead letter; None when it is settled already."""
    row = await conn.fetchrow(f"{_LETTERS} WHERE l.letter_id = $1", letter_id)
    return _dead_letter(row) if row else None


async def delete_letter(conn: Connection, subscription_id: UUID) -> None:
    """Delete the dead letter of a subscription."""
    await conn.execute("DELETE FROM subscription_letter WHERE subscription_id = $1", subscription_id)


async def search_subscriptions(
    db: Database, words: Sequence[str], before: UUID | None, limit: int
) -> list[Subscription]:
    """Return all subscriptions whose subscriber, software or endpoint has all `words`, newest first."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM subscription s WHERE {_HAS_WORDS} AND ($2::uuid IS NULL OR subscription_id < $2)"  # noqa: S608
        " ORDER BY subscription_id DESC LIMIT $3",
        list(words),
        before,
        limit,
    )
    return [subscription_from_row(row) for row in rows]


async def fetch_figures(db: Database) -> QueueFigures:
    """Return the state of the queue."""
    [row] = await db.fetch(
        "SELECT count(*) AS waiting, min(at) AS oldest, (SELECT count(*) FROM subscription_letter) AS letters"
        " FROM subscription_event WHERE state = 'waiting'"
    )
    statuses = await db.fetch("SELECT status, count(*) AS count FROM subscription GROUP BY status")
    by_status = {SubscriptionStatus(found["status"]): found["count"] for found in statuses}
    return QueueFigures(waiting=row["waiting"], oldest=row["oldest"], letters=row["letters"], by_status=by_status)


def _event(row: Any) -> TopicEvent:
    focus = Focus(row["focus_type"], row["person_id"], row["focus_id"])
    rest = {name: row[name] for name in ("place", "at", "number", "journalled", "waiting")}
    return TopicEvent(focus=focus, **rest)


def _dead_letter(row: Any) -> DeadLetter:
    return DeadLetter(
        id=row["letter_id"],
        subscription=subscription_from_row(row),
        upto=row["upto"],
        count=row["count"],
        oldest=row["oldest"],
        attempts=row["attempts"],
        error=row["cause"],
        failed_at=row["failed_at"],
    )
