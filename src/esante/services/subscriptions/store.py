"""The SQL of subscriptions: who asked for what, and how far each is."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.identity.access import Requester, principal_of, requester_from_principal
from esante.services.subscriptions.model import Status, Subscription, Wish

SUBSCRIPTION = Table(
    "subscription",
    Kind.LOCAL,
    {
        "subscription_id": "uuid",
        "owner_kind": "text",
        "owner_id": "uuid",
        "organization_id": "uuid",
        "client_id": "text",
        "owner": "jsonb",
        "topic": "text",
        "patient_id": "uuid",
        "origin": "text",
        "headers": "text",
        "wish": "bytea",
        "words": "text",
        "status": "text",
        "since": "timestamptz",
        "changed_at": "timestamptz",
        "ends_at": "timestamptz",
    },
)
COLUMNS = (
    "subscription_id, owner, headers, wish, status, error, version, since, changed_at, ends_at, events, failures,"
    " told_at"
)
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Wish, float_hook=Decimal)


def subscription_row(subscription: Subscription) -> Row:
    """The row of a new subscription."""
    owner, wish = subscription.owner, subscription.wish
    named = (owner.name, owner.organization, owner.client, wish.endpoint.origin)
    return SUBSCRIPTION, (
        subscription.id,
        owner.kind,
        owner.id,
        owner.organization_id,
        owner.client_id,
        json.dumps(_kept(owner)),
        wish.topic,
        wish.patient_id,
        wish.endpoint.origin,
        json.dumps(wish.headers),
        _wish(wish),
        " ".join(dict.fromkeys(named)).casefold(),
        subscription.status.value,
        subscription.since,
        subscription.changed_at,
        subscription.ends_at,
    )


async def lock_client(conn: Connection, owner: Requester) -> None:
    """Hold back whatever else one client asks for, until the end of the transaction."""
    key = f"subscription {owner.kind} {owner.id} {owner.client_id}"
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key)


async def owned(db: Database | Connection, owner: Requester) -> list[Subscription]:
    """The subscriptions of a client, newest first."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM subscription WHERE owner_kind = $1 AND owner_id = $2 AND client_id = $3"  # noqa: S608
        " ORDER BY subscription_id DESC",
        owner.kind,
        owner.id,
        owner.client_id,
    )
    return [subscription_of(row) for row in rows]


async def lock_own(conn: Connection, owner: Requester, subscription_id: UUID) -> Subscription | None:
    """A subscription of a client, locked; None for one that is not there, or another's."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM subscription WHERE subscription_id = $1 AND owner_kind = $2 AND owner_id = $3"  # noqa: S608
        " AND client_id = $4 FOR NO KEY UPDATE",
        subscription_id,
        owner.kind,
        owner.id,
        owner.client_id,
    )
    return subscription_of(row) if row else None


async def of_patient(db: Database | Connection, person_id: UUID) -> list[Subscription]:
    """The subscriptions that apps have in a patient's own name, newest first."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM subscription WHERE owner_kind = 'patient' AND owner_id = $1"  # noqa: S608
        " ORDER BY subscription_id DESC",
        person_id,
    )
    return [subscription_of(row) for row in rows]


async def lock(conn: Connection, subscription_id: UUID) -> Subscription | None:
    """A subscription, locked, whoever has it."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM subscription WHERE subscription_id = $1 FOR NO KEY UPDATE",  # noqa: S608
        subscription_id,
    )
    return subscription_of(row) if row else None


async def concerned(
    conn: Connection, topics: Iterable[str], persons: Iterable[UUID], holders: Iterable[UUID]
) -> list[Subscription]:
    """The subscriptions to topics about one of some persons, or about nobody in particular and by one of `holders`."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM subscription
        WHERE status <> 'off' AND topic = ANY ($1) AND (patient_id = ANY ($2)
            OR (patient_id IS NULL AND (owner_id = ANY ($3) OR organization_id = ANY ($3))))
        """,  # noqa: S608
        list(topics),
        list(persons),
        list(holders),
    )
    return [subscription_of(row) for row in rows]


async def any_at_all(conn: Connection) -> bool:
    """Whether there is a subscription to whom anything could be told."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM subscription WHERE status <> 'off')"))


async def change(conn: Connection, subscription: Subscription) -> None:
    """Write what a change gave a subscription; nobody who is at it goes on with what was before."""
    await conn.execute(
        """
        UPDATE subscription SET status = $2, error = $3, version = version + 1, since = $4, changed_at = $5,
            ends_at = $6, headers = $7, wish = $8, failures = 0, retry_at = '-infinity',
            claim = NULL, claimed_until = '-infinity'
        WHERE subscription_id = $1
        """,
        subscription.id,
        subscription.status.value,
        subscription.error,
        subscription.since,
        subscription.changed_at,
        subscription.ends_at,
        json.dumps(subscription.wish.headers),
        _wish(subscription.wish),
    )


async def remove(conn: Connection, subscription_id: UUID) -> None:
    """Remove a subscription with all that hangs on it."""
    for table in ("subscription_letter", "subscription_event", "subscription"):
        await conn.execute(f"DELETE FROM {table} WHERE subscription_id = $1", subscription_id)  # noqa: S608


async def worn_out(db: Database, now: datetime, in_error_since: datetime, waiting: int) -> list[tuple[UUID, str]]:
    """Subscriptions to turn off, with the cause: past their end, too long in error, with too much waiting."""
    rows = await db.fetch(
        """
        SELECT subscription_id, CASE WHEN ends_at <= $1 THEN 'expired' ELSE 'too-old' END AS cause
        FROM subscription WHERE status <> 'off' AND (ends_at <= $1 OR (status = 'error' AND changed_at < $2))
        UNION ALL
        SELECT e.subscription_id, 'too-many' FROM subscription_event e WHERE e.state = 'waiting'
        GROUP BY e.subscription_id HAVING count(*) > $3
        """,
        now,
        in_error_since,
        waiting,
    )
    return [(row["subscription_id"], row["cause"]) for row in rows]


async def tidy(conn: Connection, off_since: datetime, settled_since: datetime) -> None:
    """Remove what is off for long, events that were settled long ago, and events of nobody."""
    await conn.execute("DELETE FROM subscription WHERE status = 'off' AND changed_at < $1", off_since)
    await conn.execute(
        "DELETE FROM subscription_event e WHERE (state <> 'waiting' AND settled_at < $1)"
        " OR NOT EXISTS (SELECT FROM subscription s WHERE s.subscription_id = e.subscription_id)",
        settled_since,
    )


def subscription_of(row: Any) -> Subscription:
    """A row with the columns `COLUMNS`, and perhaps others."""
    kept = json.loads(row["owner"])
    scopes = None if kept["scopes"] is None else frozenset(kept["scopes"])
    headers = tuple((name, value) for name, value in json.loads(row["headers"]))
    return Subscription(
        id=row["subscription_id"],
        owner=replace(requester_from_principal(kept), scopes=scopes),
        wish=replace(_decoder.decode(row["wish"]), headers=headers),
        status=Status(row["status"]),
        error=row["error"],
        version=row["version"],
        since=row["since"],
        changed_at=row["changed_at"],
        ends_at=row["ends_at"],
        events=row["events"],
        failures=row["failures"],
        told_at=row["told_at"],
    )


def _kept(owner: Requester) -> dict[str, Any]:
    """A requester as he is kept; where he asked from is no part of him."""
    return {**principal_of(owner), "scopes": None if owner.scopes is None else sorted(owner.scopes)}


def _wish(wish: Wish) -> bytes:
    """A wish without its headers, which lie in a column of their own."""
    return _encoder.encode(replace(wish, headers=()))
