"""SQL of messages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Table, uuid7
from esante.core.storage import Kind as TableKind
from esante.services.soc.messages.model import Kind, Message

MESSAGE = Table(
    "soc_message",
    TableKind.LOCAL,
    {
        "message_id": "uuid",
        "case_id": "uuid",
        "tenant_id": "uuid",
        "practitioner_id": "uuid",
        "kind": "text",
        "created_at": "timestamptz",
        "tries": "integer",
        "next_at": "timestamptz",
        "sent_at": "timestamptz",
        "failure": "text",
    },
)
_MESSAGE = (
    "SELECT m.message_id, m.case_id, m.tenant_id, m.practitioner_id, m.kind, m.tries, m.next_at, m.sent_at, m.failure,"
    " coalesce(o.name, '') AS name, coalesce(o.email, '') AS email, coalesce(o.language, 'fr') AS language,"
    " c.reference, c.is_exercise FROM soc_message m JOIN soc_case c USING (case_id)"
    " LEFT JOIN soc_contact o ON o.tenant_id = m.tenant_id AND o.practitioner_id = m.practitioner_id"
)


async def try_lock(conn: Connection) -> bool:
    """Return whether this transaction is the only one that writes messages."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('soc_message', 0))"))


async def fetch_needed(conn: Connection, now: datetime) -> list[tuple[UUID, UUID, UUID, Kind]]:
    """Return case, member, contact and kind of messages that are due and not written: contacts with an address."""
    rows = await conn.fetch(
        "SELECT c.case_id, c.tenant_id, o.practitioner_id, w.kind FROM soc_case c"
        " JOIN LATERAL (SELECT min(t.due_at) AS due_at FROM soc_case_task t WHERE t.case_id = c.case_id"
        " AND t.state = 'open' AND t.who = 'member') t ON t.due_at IS NOT NULL"
        " JOIN LATERAL (SELECT 'steps' AS kind UNION ALL SELECT 'late' WHERE t.due_at < $1) w ON true"
        " JOIN soc_contact o ON o.tenant_id = c.tenant_id AND o.email <> ''"
        " WHERE c.state IN ('open', 'working', 'closing') AND NOT EXISTS (SELECT FROM soc_message m"
        " WHERE m.case_id = c.case_id AND m.practitioner_id = o.practitioner_id AND m.kind = w.kind)"
        " ORDER BY c.case_id, o.practitioner_id, w.kind LIMIT 500",
        now,
    )
    return [(row["case_id"], row["tenant_id"], row["practitioner_id"], Kind(row["kind"])) for row in rows]


def new_row(case_id: UUID, tenant_id: UUID, practitioner_id: UUID, kind: Kind, now: datetime) -> tuple[Table, Any]:
    """Return the row of a new message that is to be sent now."""
    return MESSAGE, (uuid7(), case_id, tenant_id, practitioner_id, kind, now, 0, now, None, "")


async def fetch_due(conn: Connection, now: datetime, limit: int) -> list[Message]:
    """Return messages to be sent, the oldest first."""
    rows = await conn.fetch(f"{_MESSAGE} WHERE m.next_at <= $1 ORDER BY m.next_at, m.message_id LIMIT $2", now, limit)
    return [_message(row) for row in rows]


async def fetch_of_case(db: Database, case_id: UUID) -> list[Message]:
    """Return the messages about a case, the newest first."""
    rows = await db.fetch(f"{_MESSAGE} WHERE m.case_id = $1 ORDER BY m.message_id DESC", case_id)
    return [_message(row) for row in rows]


async def keep(
    conn: Connection, message_id: UUID, next_at: datetime | None, sent_at: datetime | None, failure: str
) -> None:
    """Keep how a try went."""
    await conn.execute(
        "UPDATE soc_message SET tries = tries + 1, next_at = $2, sent_at = $3, failure = $4 WHERE message_id = $1",
        message_id,
        next_at,
        sent_at,
        failure,
    )


def _message(row: Any) -> Message:
    return Message(**dict(row) | {"kind": Kind(row["kind"])})
