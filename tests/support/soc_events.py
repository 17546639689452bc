"""Stored events for tests of the SOC."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Database, uuid7
from esante.services.soc.events.normalize import normalize
from esante.services.soc.storage.model import StoredEvent
from esante.services.soc.storage.service import EventStore
from tests.support.soc import NOON


def a_stored_event(tenant_id: UUID, received_at: datetime = NOON, text: str = "a line", **changes: Any) -> StoredEvent:
    """Return an event of a member that was received at a time."""
    given: dict[str, Any] = {
        "event_id": uuid7(received_at),
        "source_id": tenant_id,
        "received_at": received_at,
        "occurred_at": received_at,
        "class_uid": 0,
        "severity": 1,
        "key": text,
        "summary": text,
        "content": orjson.dumps(normalize(text.encode())),
    }
    return StoredEvent(tenant_id=tenant_id, **given | changes)


async def store(db: Database, *events: StoredEvent) -> EventStore:
    """Store events; return the storage."""
    events_of = EventStore(db)
    await events_of.prepare_for(events)
    async with db.transaction() as conn:
        await events_of.append(conn, events)
    return events_of
