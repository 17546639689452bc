"""Support for tests of hunts: stored events, and a plain twin of the search."""

import ipaddress
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Database, uuid7_floor
from esante.services.soc.hunting.event_columns import batch_of, schema
from esante.services.soc.hunting.model import Condition, Hunt, Operator
from esante.services.soc.hunting.query_store import TEXT_COLUMNS
from esante.services.soc.storage.model import StoredEvent
from esante.services.soc.storage.service import EventStore

SOURCE = UUID("00000000-0000-7000-8000-00000000000a")
DAY = datetime(2026, 5, 4, tzinfo=UTC)


def stored(tenant_id: UUID, at: datetime, number: int = 0, **changes: Any) -> StoredEvent:
    """Return an event as intake keeps it; `number` distinguishes those of one moment."""
    event = {
        "class_uid": 4001,
        "activity_id": 1,
        "severity_id": 1,
        "time": int(at.timestamp() * 1000),
        "metadata": {"version": "1.8.0", "product": {"name": "Fortigate"}},
        "message": f"connection {number}",
        "src_endpoint": {"ip": f"10.1.{number % 7}.{number % 200}"},
        "dst_endpoint": {"ip": f"203.0.113.{number % 50}", "port": (443, 80, 445)[number % 3]},
        **changes.pop("event", {}),
    }
    given: dict[str, Any] = {
        "occurred_at": at,
        "class_uid": event["class_uid"],
        "severity": event["severity_id"],
        "key": f"{tenant_id}-{at.isoformat()}-{number}",
        "host": f"WS-{number % 11}",
        "user": f"user{number % 5}",
        "ip": event["src_endpoint"]["ip"],
        "summary": event["message"],
    }
    key = UUID(int=uuid7_floor(at).int + number + (tenant_id.int % 4096) * 2**20)
    return StoredEvent(
        event_id=key,
        tenant_id=tenant_id,
        source_id=SOURCE,
        received_at=at,
        content=orjson.dumps(event),
        **given | changes,
    )


def some_events(tenant_id: UUID, day: datetime, count: int, seed: int = 1) -> list[StoredEvent]:
    """Return events over a day, in the order of their receipt."""
    chance = random.Random(f"{seed}-{tenant_id}-{day}")
    found = []
    for number in range(count):
        at = day + timedelta(seconds=chance.randrange(86_400))
        commands = ["", "", "cmd.exe /c whoami", "PowerShell -enc SQBFAFgA", "vssadmin delete shadows", "a%b_c'\"; --"]
        event = {
            "process": {"cmd_line": chance.choice(commands), "file": {"path": "C:\\Windows\\cmd.exe"}},
            "status_id": chance.choice([1, 2]),
            "file": {"hashes": [{"value": f"{number % 9:064x}"}]},
        }
        found.append(stored(tenant_id, at, number, event=event))
    return sorted(found, key=lambda one: one.event_id)


async def keep(db: Database, events: list[StoredEvent]) -> EventStore:
    """Store events in the database; return the store."""
    store = EventStore(db)
    await store.prepare_for(events)
    async with db.transaction() as conn:
        await store.append(conn, events)
    return store


def matches(one: StoredEvent, hunt: Hunt) -> bool:
    """Return whether an event fulfils a hunt: a plain twin of the statements."""
    row = batch_of([one]).to_pylist()[0]
    assert set(row) == set(schema().names)
    at = row["time"].replace(tzinfo=UTC)
    if not hunt.since <= at < hunt.until:
        return False
    if hunt.text and not any(hunt.text in row[name] for name in TEXT_COLUMNS):
        return False
    if hunt.any_observable and not set(hunt.any_observable) & set(row["observables"].split()):
        return False
    return all(_fulfils(row[condition.field], condition) for condition in hunt.conditions)


def _fulfils(value: Any, condition: Condition) -> bool:
    wanted = condition.value
    match condition.operator:
        case Operator.EQUALS:
            return str(value) == wanted if condition.field != "observables" else wanted in value.split()
        case Operator.DIFFERS:
            return str(value) != wanted
        case Operator.CONTAINS:
            return wanted in value
        case Operator.BEGINS:
            return value.startswith(wanted)
        case Operator.ENDS:
            return value.endswith(wanted)
        case Operator.AT_LEAST:
            return value >= int(wanted)
        case Operator.AT_MOST:
            return 0 <= value <= int(wanted)
        case Operator.IN_NETWORK:
            try:
                return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
            except ValueError:
                return False
