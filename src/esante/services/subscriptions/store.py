"""The SQL of subscriptions: requests, owners and states."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.core.types import Json
from esante.identity.access import Requester, principal_of, requester_from_principal
from esante.services.subscriptions.model import Subscription, SubscriptionRequest, SubscriptionStatus

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
    " notified_at"
)
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(SubscriptionRequest, float_hook=Decimal)


def subscription_row(subscription: Subscription) -> Row:
    """Return the row of a new subscription."""
    owner, request = subscription.owner, subscription.request
    words = (owner.name, owner.organization, owner.client, request.endpoint.origin)
    return SUBSCRIPTION, (
        subscription.id,
        owner.kind,
        owner.id,
        owner.organization_id,
        owner.client_id,
        json.dumps(_owner_json(owner)),
        request.topic,
        request.patient_id,
        request.endpoint.origin,
        json.dumps(request.headers),
        _encode_request(request),
        " ".join(dict.fromkeys(words)).casefold(),
        subscription.status.value,
        subscription.since,
        subscription.changed_at,
        subscription.ends_at,
    )


async def lock_client(conn: Connection, owner: Requester) -> None:
    """Serialise the new subscriptions of a client until the end of the transaction."""
    key = f"subscription {owner.kind} {owner.id} {owner.client_id}"
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key)


async def fetch_owned(db: Database | Connection, owner: Requester) -> list[Subscription]:
    """Return the subscriptions of a client (one owner with one software), newest first."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM subscription WHERE owner_kind = $1 AND owner_id = $2 AND client_id = $3"  # noqa: S608
        " ORDER BY subscription_id DESC",
        owner.kind,
        owner.id,
        owner.client_id,
    )
    return [subscription_from_row(row) for row in rows]


async def lock_owned(conn: Connection, owner: Requester, subscription_id: UUID) -> Subscription | None:
    """Return a subscription of a client, locked; None for one that does not exist, or is another's."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM subscription WHERE subscription_id = $1 AND owner_kind = $2 AND owner_id = $3"  # noqa: S608
        " AND client_id = $4 FOR NO KEY UPDATE",
        subscription_id,
        owner.kind,
        owner.id,
        owner.client_id,
    )
    return subscription_from_row(row) if row else None


async def fetch_of_patient(db: Database | Connection, person_id: UUID) -> list[Subscription]:
    """Return the subscriptions that apps have in a patient's own name, newest first."""
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM subscription WHERE owner_kind = 'patient' AND owner_id = $1"  # noqa: S608
        " ORDER BY subscription_id DESC",
        person_id,
    )
    return [subscription_from_row(row) for row in rows]


async def lock_subscription(conn: Connection, subscription_id: UUID) -> Subscription | None:
    """Return a subscription of any owner, locked; None when it does not exist."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM subscription WHERE subscription_id = $1 FOR NO KEY UPDATE",  # noqa: S608
        subscription_id,
    )
    return subscription_from_row(row) if row else None


async def fetch_candidates(
    conn: Connection, topics: Iterable[str], persons: Iterable[UUID], holders: Iterable[UUID]
) -> list[Subscription]:
    """Return the subscriptions to `topics` about one of `persons`, and those about nobody by one of `holders`.

    Subscriptions that are off are left out.
    """
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
    return [subscription_from_row(row) for row in rows]


async def has_live_subscriptions(conn: Connection) -> bool:
    """Return whether there is any subscription that is not off."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM subscription WHERE status <> 'off')"))


async def update_subscription(conn: Connection, subscription: Subscription) -> None:
    """Write a changed subscription, and end the claim of a worker that still has its former state."""
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
        json.dumps(subscription.request.headers),
        _encode_request(subscription.request),
    )


async def delete_subscription(conn: Connection, subscription_id: UUID) -> None:
    """Delete a subscription with its events and its dead letter."""
    for table in ("subscription_letter", "subscription_event", "subscription"):
        await conn.execute(f"DELETE FROM {table} WHERE subscription_id = $1", subscription_id)  # noqa: S608


async def fetch_outdated(
    db: Database, now: datetime, in_error_since: datetime, waiting: int
) -> list[tuple[UUID, str]]:
    """Return the subscriptions to turn off, with the cause: expired, too-old (in error) or too-many (waiting events).

    A subscription is too old when it is in error since before `in_error_since`; at most `waiting` events may wait.
    """
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


async def delete_outdated(conn: Connection, off_since: datetime, settled_since: datetime) -> None:
    """Delete subscriptions that are off since a time, events settled before a time, and events of no subscription."""
    await conn.execute("DELETE FROM subscription WHERE status = 'off' AND changed_at < $1", off_since)
    await conn.execute(
        "DELETE FROM subscription_event e WHERE (state <> 'waiting' AND settled_at < $1)"
        " OR NOT EXISTS (SELECT FROM subscription s WHERE s.subscription_id = e.subscription_id)",
        settled_since,
    )


def subscription_from_row(row: Any) -> Subscription:
    """Return the subscription in a row that has at least the columns `COLUMNS`."""
    owner = json.loads(row["owner"])
    scopes = None if owner["scopes"] is None else frozenset(owner["scopes"])
    headers = tuple((name, value) for name, value in json.loads(row["headers"]))
    return Subscription(
        id=row["subscription_id"],
        owner=replace(requester_from_principal(owner), scopes=scopes),
        request=replace(_decoder.decode(row["wish"]), headers=headers),
        status=SubscriptionStatus(row["status"]),
        error=row["error"],
        version=row["version"],
        since=row["since"],
        changed_at=row["changed_at"],
        ends_at=row["ends_at"],
        events=row["events"],
        failures=row["failures"],
        notified_at=row["notified_at"],
    )


def _owner_json(owner: Requester) -> Json:
    """Return a requester as stored, without the origin of the request."""
    return {**principal_of(owner), "scopes": None if owner.scopes is None else sorted(owner.scopes)}


def _encode_request(request: SubscriptionRequest) -> bytes:
    """Encode a request as JSON, without its headers, which have a column of their own."""
    return _encoder.encode(replace(request, headers=()))
