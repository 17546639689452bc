"""SQL of duties: facts by version, and notifications."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.duties.model import Facts, Notification

FACTS = Table(
    "soc_facts",
    Kind.LOCAL,
    {
        "case_id": "uuid",
        "version": "integer",
        "facts": "jsonb",
        "stated_at": "timestamptz",
        "stated_by": "text",
    },
)
NOTIFICATION = Table(
    "soc_notification",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "case_id": "uuid",
        "duty": "text",
        "language": "text",
        "sections": "jsonb",
        "version": "integer",
        "changed_at": "timestamptz",
        "changed_by": "text",
        "first_by_id": "uuid",
        "first_by": "text",
        "first_at": "timestamptz",
        "second_by_id": "uuid",
        "second_by": "text",
        "second_at": "timestamptz",
        "sent_at": "timestamptz",
        "receipt": "text",
        "sent_by": "text",
        "delay_reason": "text",
    },
)
_SETS = ", ".join(f"{name} = ${place}" for place, name in enumerate([*NOTIFICATION.columns][3:], 3))
_NOTIFICATION = f"SELECT {', '.join(NOTIFICATION.columns)} FROM soc_notification"  # noqa: S608 - names are declared


def facts_row(case_id: UUID, version: int, facts: Facts, at: datetime, by: str) -> Row:
    """Return the row of a statement of facts."""
    return FACTS, (case_id, version, msgspec.json.encode(facts).decode(), at, by)


def notification_row(notification: Notification) -> Row:
    """Return the row of a new notification."""
    return NOTIFICATION, _values(notification)


async def fetch_facts(db: Database | Connection, case_id: UUID) -> tuple[Facts, int, datetime, str] | None:
    """Return the newest facts of a case with their version, when and by whom they were stated, or None."""
    row = await db.fetchrow(
        "SELECT facts, version, stated_at, stated_by FROM soc_facts WHERE case_id = $1 ORDER BY version DESC LIMIT 1",
        case_id,
    )
    return (read_facts(row["facts"]), row["version"], row["stated_at"], row["stated_by"]) if row else None


def read_facts(text: str) -> Facts:
    """Return facts as they are stored."""
    return msgspec.json.decode(text, type=Facts)


async def fetch_notifications(db: Database | Connection, case_id: UUID) -> dict[str, Notification]:
    """Return the notifications of a case by duty."""
    rows = await db.fetch(f"{_NOTIFICATION} WHERE case_id = $1 ORDER BY duty", case_id)
    return {row["duty"]: _notification(row) for row in rows}


async def fetch_sent(db: Database | Connection, cases: Sequence[UUID]) -> dict[UUID, dict[str, datetime]]:
    """Return when the notifications of cases were sent, by case and duty."""
    rows = await db.fetch(
        "SELECT case_id, duty, sent_at FROM soc_notification WHERE case_id = ANY($1) AND sent_at IS NOT NULL", [*cases]
    )
    found: dict[UUID, dict[str, datetime]] = {}
    for row in rows:
        found.setdefault(row["case_id"], {})[row["duty"]] = row["sent_at"]
    return found


async def update(conn: Connection, notification: Notification) -> None:
    """Keep what has changed of a notification."""
    sql = f"UPDATE soc_notification SET {_SETS} WHERE case_id = $1 AND duty = $2"  # noqa: S608 - made of constants
    await conn.execute(sql, notification.case_id, notification.duty, *_values(notification)[3:])


def _values(notification: Notification) -> tuple[Any, ...]:
    given = {name: getattr(notification, name) for name in NOTIFICATION.columns}
    return tuple((given | {"sections": orjson.dumps([*notification.sections.items()]).decode()}).values())


def _notification(row: Any) -> Notification:
    return Notification(**dict(row) | {"sections": dict(orjson.loads(row["sections"]))})
