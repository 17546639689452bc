"""SQL of messages, their contents and receipts, keys of sites, time-stamps of heads."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.healthnet.messages.model import MessageState, SiteMessage

MESSAGE = Table(
    "healthnet_message",
    Kind.LOCAL,
    {
        "message_id": "uuid",
        "receipt_id": "uuid",
        "sender": "text",
        "recipient": "text",
        "state": "text",
        "reason": "text",
        "digest": "bytea",
        "size": "integer",
        "accepted_at": "timestamptz",
        "changed_at": "timestamptz",
        "expires_at": "timestamptz",
    },
)
CONTENT = Table("healthnet_message_content", Kind.LOCAL, {"message_id": "uuid", "content": "bytea"})
RECEIPT = Table(
    "healthnet_receipt", Kind.LOCAL, {"receipt_id": "uuid", "message_id": "uuid", "state": "text", "note": "text"}
)
KEY = Table("healthnet_message_key", Kind.LOCAL, {"site": "text", "statement": "text", "announced_at": "timestamptz"})
STAMP = Table(
    "healthnet_head_stamp",
    Kind.LOCAL,
    {"size": "bigint", "sealed_at": "timestamptz", "token": "bytea", "stamped_at": "timestamptz"},
)
_MESSAGE = f"SELECT {', '.join(MESSAGE.columns)} FROM healthnet_message"  # noqa: S608 - declared in code
_WAITING = f"""
SELECT m.*, r.note FROM (
    {_MESSAGE} WHERE recipient = $1 AND state = 'accepted' AND ($2::uuid IS NULL OR receipt_id > $2)
    ORDER BY receipt_id LIMIT $3
) m JOIN healthnet_receipt r USING (receipt_id) ORDER BY receipt_id
"""  # noqa: S608 - constant expressions
_STAMP_LOCK = 0x686E_7473


def message_rows(message: SiteMessage, content: bytes, note: str) -> list[Row]:
    """Return the rows of a message that is accepted: itself, its content, its receipt."""
    values = (*(getattr(message, name) for name in MESSAGE.columns),)
    return [
        (MESSAGE, values),
        (CONTENT, (message.message_id, content)),
        receipt_row(message.receipt_id, message, note),
    ]


def receipt_row(receipt_id: UUID, message: SiteMessage, note: str) -> Row:
    """Return the row of the receipt of a message's present state."""
    return RECEIPT, (receipt_id, message.message_id, message.state.value, note)


async def fetch(db: Database | Connection, message_id: UUID, *, lock: bool = False) -> SiteMessage | None:
    """Return a message, locked until the transaction ends if asked for, or None."""
    rows = await db.fetch(f"{_MESSAGE} WHERE message_id = $1{' FOR UPDATE' if lock else ''}", message_id)
    return _message(rows[0]) if rows else None


async def fetch_content(db: Database, message_id: UUID) -> bytes | None:
    """Return the encrypted content of a message, or None when it is not kept."""
    content: bytes | None = await db.fetchval(
        "SELECT content FROM healthnet_message_content WHERE message_id = $1", message_id
    )
    return content


async def fetch_waiting(db: Database, recipient: str, after: UUID | None, limit: int) -> list[tuple[SiteMessage, str]]:
    """Return messages that a site has not fetched, the oldest first, after one of them; each with its receipt."""
    rows = await db.fetch(_WAITING, recipient, after, limit)
    return [(_message(row), row["note"]) for row in rows]


async def count_waiting(db: Database, recipient: str, most: int) -> int:
    """Return how many messages wait for a site, counting no further than `most`."""
    return int(
        await db.fetchval(
            "SELECT count(*) FROM (SELECT FROM healthnet_message WHERE recipient = $1 AND state = 'accepted'"
            " LIMIT $2) w",
            recipient,
            most,
        )
    )


async def fetch_page(
    db: Database, sites: Sequence[str], text: str, state: str, before: UUID | None, limit: int
) -> list[SiteMessage]:
    """Return messages from or to some sites, the newest first; `text`: a part of their id or of a site's key."""
    # Two scans of an index each, and not one over both columns, which none serves.
    rows = await db.fetch(
        f"""
        SELECT * FROM (
            ({_MESSAGE} WHERE sender = ANY($1) AND {_SHOWN} ORDER BY receipt_id DESC LIMIT $5)
            UNION ({_MESSAGE} WHERE recipient = ANY($1) AND {_SHOWN} ORDER BY receipt_id DESC LIMIT $5)
        ) m ORDER BY receipt_id DESC LIMIT $5
        """,  # noqa: S608 - constant expressions
        [*sites],
        text,
        state,
        before,
        limit,
    )
    return [_message(row) for row in rows]


_SHOWN = (
    "($2 = '' OR position(lower($2) IN lower(concat_ws(' ', message_id::text, sender, recipient))) > 0)"
    " AND ($3 = '' OR state = $3) AND ($4::uuid IS NULL OR receipt_id < $4)"
)


async def update_state(conn: Connection, message: SiteMessage) -> None:
    """Store the state of a message."""
    await conn.execute(
        "UPDATE healthnet_message SET state = $2, reason = $3, changed_at = $4 WHERE message_id = $1",
        message.message_id,
        message.state.value,
        message.reason,
        message.changed_at,
    )


async def delete_content(conn: Connection, message_id: UUID) -> None:
    """Delete the content of a message."""
    await conn.execute("DELETE FROM healthnet_message_content WHERE message_id = $1", message_id)


async def lock_overdue(conn: Connection, now: datetime, limit: int) -> list[SiteMessage]:
    """Return messages that nobody fetched in time, locked."""
    rows = await conn.fetch(
        f"{_MESSAGE} WHERE state = 'accepted' AND expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )
    return [_message(row) for row in rows]


async def delete_unread_contents(conn: Connection, now: datetime) -> None:
    """Delete contents that were delivered and that nobody read in time."""
    await conn.execute(
        "DELETE FROM healthnet_message_content c USING healthnet_message m"
        " WHERE m.message_id = c.message_id AND m.state = 'delivered' AND m.expires_at < $1",
        now,
    )


async def delete_before(conn: Connection, before: datetime) -> None:
    """Delete messages that were accepted before a moment, with their receipts."""
    await conn.execute("DELETE FROM healthnet_message WHERE accepted_at < $1", before)


async def fetch_receipts(db: Database | Connection, message_id: UUID) -> list[Any]:
    """Return the receipts of a message in the order of time: receipt_id, state, note."""
    return await db.fetch(
        "SELECT receipt_id, state, note FROM healthnet_receipt WHERE message_id = $1 ORDER BY receipt_id", message_id
    )


async def fetch_receipt_states(db: Database, message_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Return the states of messages that have a receipt, in the order of time."""
    rows = await db.fetch(
        "SELECT message_id, state FROM healthnet_receipt WHERE message_id = ANY($1) ORDER BY receipt_id",
        [*message_ids],
    )
    found: dict[UUID, list[str]] = {}
    for row in rows:
        found.setdefault(row["message_id"], []).append(row["state"])
    return found


async def fetch_names(db: Database, keys: Sequence[str]) -> dict[str, str]:
    """Return the names of sites by key."""
    rows = await db.fetch("SELECT key, name FROM healthnet_site WHERE key = ANY($1)", [*keys])
    return {row["key"]: row["name"] for row in rows}


async def put_key(conn: Connection, site: str, statement: str, at: datetime) -> None:
    """Keep the statement of a site about its key, in place of the one before."""
    await conn.execute(
        f"{KEY.insert_sql()} ON CONFLICT (site) DO UPDATE"
        " SET statement = excluded.statement, announced_at = excluded.announced_at",
        [site],
        [statement],
        [at],
    )


async def fetch_key(db: Database, site: str) -> str | None:
    """Return the statement of a site about its key, or None."""
    found: str | None = await db.fetchval("SELECT statement FROM healthnet_message_key WHERE site = $1", site)
    return found


async def try_lock_stamps(conn: Connection) -> bool:
    """Take the lock under which heads are stamped, for this transaction; return whether nobody else has it."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock($1)", _STAMP_LOCK))


async def newest_receipt(conn: Connection | Database) -> UUID | None:
    """Return the id of the newest receipt, or None."""
    found: UUID | None = await conn.fetchval(
        "SELECT receipt_id FROM healthnet_receipt ORDER BY receipt_id DESC LIMIT 1"
    )
    return found


async def newest_stamp(conn: Connection | Database) -> datetime | None:
    """Return when the newest head that has a stamp was sealed, or None."""
    found: datetime | None = await conn.fetchval("SELECT max(sealed_at) FROM healthnet_head_stamp")
    return found


async def fetch_stamps(db: Database, sealed_from: datetime, limit: int) -> list[Any]:
    """Return the first stamps (size, token) of heads that were sealed at a moment or later."""
    return await db.fetch(
        "SELECT size, token FROM healthnet_head_stamp WHERE sealed_at >= $1 ORDER BY size LIMIT $2",
        sealed_from,
        limit,
    )


def stamp_row(size: int, sealed_at: datetime, token: bytes, at: datetime) -> Row:
    """Return the row of a stamp."""
    return STAMP, (size, sealed_at, token, at)


def _message(row: Any) -> SiteMessage:
    return SiteMessage(**{**{name: row[name] for name in MESSAGE.columns}, "state": MessageState(row["state"])})
