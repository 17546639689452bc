"""SQL of events."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table, uuid7_floor
from esante.services.soc.storage.days import day_bounds
from esante.services.soc.storage.model import EventQuery
from esante.services.soc.tenants.model import Scope

EVENT = Table(
    "soc_event",
    Kind.LOCAL,
    {
        "event_id": "uuid",
        "tenant_id": "uuid",
        "source_id": "uuid",
        "received_at": "timestamptz",
        "occurred_at": "timestamptz",
        "clock_is_off": "boolean",
        "class_uid": "integer",
        "severity": "smallint",
        "key": "text",
        "host": "text",
        "user_name": "text",
        "ip": "text",
        "summary": "text",
        "rules": "text",
        "fault": "text",
        "block_id": "uuid",
        "place": "smallint",
    },
)
BLOCK = Table("soc_event_block", Kind.LOCAL, {"block_id": "uuid", "tenant_id": "uuid", "content": "bytea"})
_EVENT = (
    "SELECT event_id, tenant_id, source_id, received_at, occurred_at, clock_is_off, class_uid, severity, key, host,"
    " user_name, ip, summary, rules, fault, block_id, place FROM soc_event"
)


async def copy(conn: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows by COPY."""
    await conn.copy_records_to_table(table.name, records=rows, columns=[*table.columns])


async def fetch_day(db: Database, day: date, tenant_id: UUID | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """Return rows of a day in the order of their receipt, of one member or of all; `after`: the last one read."""
    low, high = day_bounds(day)
    conditions, values = ["event_id >= $1", "event_id < $2"], [low, high]
    return await _fetch(db, conditions, [*values], tenant_id, [("event_id >", after)], "ASC", limit)


async def fetch_page(db: Database, scope: Scope, query: EventQuery, before: UUID | None, limit: int) -> Sequence[Any]:
    """Return rows of a scope that a query asks for, the newest first."""
    wanted: list[tuple[str, Any]] = [
        ("event_id <", before),
        ("event_id >=", uuid7_floor(query.since) if query.since else None),
        ("event_id <", uuid7_floor(query.until) if query.until else None),
        ("host =", query.host.lower() or None),
        ("user_name =", query.user.lower() or None),
        ("ip =", query.ip or None),
        ("class_uid =", query.class_uid),
        ("severity >=", query.severity or None),
        ("source_id =", query.source_id),
    ]
    conditions: list[str] = []
    values: list[Any] = []
    if query.text:
        values.append(query.text.lower())
        conditions.append(f"position(${len(values)} IN lower(summary)) > 0")
    if query.rule:
        values.append(query.rule)
        conditions.append(f"rules <> '' AND ${len(values)} = ANY(string_to_array(rules, E'\\n'))")
    if query.faults:
        conditions.append("fault <> ''")
    return await _fetch(db, conditions, values, scope.tenant_id, wanted, "DESC", limit)


async def fetch_event(db: Database, scope: Scope, event_id: UUID) -> Sequence[Any]:
    """Return the row of an event, or none."""
    return await _fetch(db, [], [], scope.tenant_id, [("event_id =", event_id)], "DESC", 1)


async def _fetch(
    db: Database,
    conditions: list[str],
    values: list[Any],
    tenant_id: UUID | None,
    wanted: Sequence[tuple[str, Any]],
    order: str,
    limit: int,
) -> Sequence[Any]:
    """Return rows that meet all conditions; only those that are asked for stand in the statement, for its plan."""
    for comparison, value in [("tenant_id =", tenant_id), *wanted]:
        if value is not None:
            values.append(value)
            conditions.append(f"{comparison} ${len(values)}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return await db.fetch(f"{_EVENT}{where} ORDER BY event_id {order} LIMIT {limit:d}", *values)


async def fetch_blocks(db: Database, ids: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the contents of blocks."""
    rows = await db.fetch("SELECT block_id, content FROM soc_event_block WHERE block_id = ANY($1)", ids)
    return {row["block_id"]: row["content"] for row in rows}


async def delete_of_tenant(conn: Connection, tenant_id: UUID) -> int:
    """Delete all events of a member; return how many."""
    status = await conn.execute("DELETE FROM soc_event WHERE tenant_id = $1", tenant_id)
    await conn.execute("DELETE FROM soc_event_block WHERE tenant_id = $1", tenant_id)
    return int(str(status).rpartition(" ")[2])
