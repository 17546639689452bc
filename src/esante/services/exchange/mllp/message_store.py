"""SQL of the messages that came in."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.exchange.mllp.model import IncomingMessage, State

MESSAGE = Table(
    "exchange_hl7_message",
    Kind.LOCAL,
    {
        "message_id": "uuid",
        "organization_id": "uuid",
        "sender": "text",
        "control_id": "text",
        "kind": "text",
        "digest": "bytea",
        "received_at": "timestamptz",
        "state": "text",
        "code": "text",
        "place": "text",
        "reason": "text",
        "content": "bytea",
        "answer": "bytea",
        "processed_at": "timestamptz",
    },
)
_ALL = ", ".join(MESSAGE.columns)
_LISTED = ", ".join("NULL::bytea AS content" if name == "content" else name for name in MESSAGE.columns)
LAST = UUID(int=2**128 - 1)


def message_row(one: IncomingMessage) -> Row:
    """Return the row of a message."""
    return MESSAGE, (*(getattr(one, name) for name in list(MESSAGE.columns)[:7]), one.state.value, one.code, one.place,
                     one.reason, one.content, one.answer, one.processed_at)  # fmt: skip


async def find_message(db: Database, organization_id: UUID, sender: str, control_id: str) -> IncomingMessage | None:
    """Return the message of a control id, None where there is none."""
    row = await db.fetchrow(
        f"SELECT {_ALL} FROM exchange_hl7_message"  # noqa: S608 - columns are declared
        " WHERE organization_id = $1 AND sender = $2 AND control_id = $3",
        organization_id,
        sender,
        control_id,
    )
    return _message(row) if row else None


async def fetch_message(db: Database, message_id: UUID) -> IncomingMessage | None:
    """Return a message by its key."""
    row = await db.fetchrow(f"SELECT {_ALL} FROM exchange_hl7_message WHERE message_id = $1", message_id)  # noqa: S608
    return _message(row) if row else None


async def settle(conn: Connection, one: IncomingMessage, *, again: bool) -> bytes:
    """Write what became of a message, unless it was settled meanwhile; return the answer that counts from now on.

    `again`: it failed before, and was processed again.
    """
    answer: bytes | None = await conn.fetchval(
        "UPDATE exchange_hl7_message SET state = $2, code = $3, place = $4, reason = $5, content = $6, answer = $7,"
        " processed_at = $8 WHERE message_id = $1 AND (state = 'received' OR $9 AND state = 'failed')"
        " RETURNING answer",
        one.message_id, one.state.value, one.code, one.place, one.reason, one.content, one.answer, one.processed_at,
        again,
    )  # fmt: skip
    if answer is not None:
        return answer
    found: bytes | None = await conn.fetchval(
        "SELECT answer FROM exchange_hl7_message WHERE message_id = $1", one.message_id
    )
    return found or b""


async def fetch_page(
    db: Database, states: Sequence[str], text: str, organizations: Sequence[UUID], after: UUID, limit: int
) -> Sequence[IncomingMessage]:
    """Return messages of some states, without their content, the newest first; not those whose time is over.

    `text`: searched for in sender, control id and kind; `organizations`: also those from there.
    """
    rows = await db.fetch(
        f"SELECT {_LISTED} FROM exchange_hl7_message"  # noqa: S608 - columns are declared
        " WHERE state = ANY ($1) AND (state = 'done' OR content IS NOT NULL) AND message_id < $4"
        " AND ($2 = '' OR organization_id = ANY ($3)"
        " OR position(lower($2) IN lower(sender || ' ' || control_id || ' ' || kind)) > 0)"
        " ORDER BY message_id DESC LIMIT $5",
        list(states),
        text,
        list(organizations),
        after,
        limit,
    )
    return [_message(row) for row in rows]


async def count_by_day(db: Database, since: datetime, zone: str) -> Sequence[tuple[object, int, int]]:
    """Return the days since a moment with how many messages came, and how many of them are not done."""
    rows = await db.fetch(
        "SELECT (received_at AT TIME ZONE $2)::date AS day, count(*) AS count,"
        " count(*) FILTER (WHERE state <> 'done') AS failed FROM exchange_hl7_message WHERE received_at >= $1"
        " GROUP BY 1 ORDER BY 1",
        since,
        zone,
    )
    return [(row["day"], row["count"], row["failed"]) for row in rows]


async def delete_old(db: Database, failed_before: datetime, answered_before: datetime) -> int:
    """Delete messages whose time is over; of failed ones the content first. Return how many."""
    async with db.transaction() as conn:
        cleared = await conn.execute(
            "UPDATE exchange_hl7_message SET content = NULL WHERE content IS NOT NULL AND received_at < $1",
            failed_before,
        )
        deleted = await conn.execute("DELETE FROM exchange_hl7_message WHERE received_at < $1", answered_before)
    return sum(int(tag.rpartition(" ")[2]) for tag in (cleared, deleted))


def _message(row: asyncpg.Record) -> IncomingMessage:
    return IncomingMessage(**{**dict(row), "state": State(row["state"])})
