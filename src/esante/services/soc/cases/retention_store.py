"""SQL of the end of cases and of alerts without one."""

from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection, Database

_OF_CASE = (
    "soc_case_task",
    "soc_case_entry",
    "soc_evidence",
    "soc_containment",
    "soc_handover",
    "soc_facts",
    "soc_notification",
)
"""Tables with the rows of a case."""


async def fetch_due_cases(db: Database, before: datetime, limit: int) -> list[UUID]:
    """Return cases that were closed before a moment, the oldest first."""
    rows = await db.fetch(
        "SELECT case_id FROM soc_case WHERE state = 'closed' AND closed_at < $1 ORDER BY closed_at, case_id LIMIT $2",
        before,
        limit,
    )
    return [row["case_id"] for row in rows]


async def lock_due_case(conn: Connection, case_id: UUID, before: datetime) -> list[tuple[UUID, UUID, str]]:
    """Return member, key and reference of a due case and of those merged into it, which come first; none if not due.

    Others wait for this transaction.
    """
    due = await conn.fetchrow(
        "SELECT case_id FROM soc_case WHERE case_id = $1 AND state = 'closed' AND closed_at < $2 FOR UPDATE",
        case_id,
        before,
    )
    if due is None:
        return []
    rows = await conn.fetch(
        "WITH RECURSIVE found(case_id, depth) AS (SELECT $1::uuid, 0 UNION ALL"
        " SELECT c.case_id, f.depth + 1 FROM soc_case c JOIN found f ON c.merged_into = f.case_id)"
        " SELECT c.tenant_id, c.case_id, c.reference FROM soc_case c JOIN found USING (case_id)"
        " ORDER BY depth DESC, c.case_id",
        case_id,
    )
    return [(row["tenant_id"], row["case_id"], row["reference"]) for row in rows]


async def delete_case(conn: Connection, case_id: UUID) -> int:
    """Delete a case and everything of it; return how many alerts it had."""
    for table in _OF_CASE:
        await conn.execute(f"DELETE FROM {table} WHERE case_id = $1", case_id)  # noqa: S608 - constants
    rows = await conn.fetch("DELETE FROM soc_alert WHERE case_id = $1 RETURNING alert_id", case_id)
    await _forget(conn, [row["alert_id"] for row in rows])
    await conn.execute("DELETE FROM soc_case WHERE case_id = $1", case_id)
    return len(rows)


async def delete_alerts(conn: Connection, before: datetime, limit: int) -> tuple[int, int]:
    """Delete some alerts without a case that were raised before a moment, and suppressions over before it.

    Return how many of each.
    """
    rows = await conn.fetch(
        "DELETE FROM soc_alert WHERE alert_id = ANY(ARRAY(SELECT alert_id FROM soc_alert"
        " WHERE raised_at < $1 AND case_id IS NULL LIMIT $2)) AND case_id IS NULL RETURNING alert_id",
        before,
        limit,
    )
    await _forget(conn, [row["alert_id"] for row in rows])
    status = await conn.execute("DELETE FROM soc_suppression WHERE least(until, ended_at) < $1", before)
    return len(rows), int(str(status).rpartition(" ")[2])


async def _forget(conn: Connection, alerts: list[UUID]) -> None:
    """Take alerts that are gone out of the silences that raised them."""
    await conn.execute("UPDATE soc_silence SET alert_id = NULL WHERE alert_id = ANY($1)", alerts)
