"""SQL of the queue: alerts without a case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database
from esante.services.soc.alerts.model import Level, Origin
from esante.services.soc.cases.model import QueuedAlert, QueueFilter, QueuePart
from esante.services.soc.tenants.model import Scope

_ALERT = (
    "SELECT a.tenant_id, a.alert_id, t.name AS tenant, a.raised_at, a.first_at, a.last_at, a.origin, a.rule, a.title,"
    " a.level, a.techniques, a.subject, a.dismissed_at, a.dismissed_by, a.dismissed_as, a.dismissal, a.case_id"
    " FROM soc_alert a JOIN soc_tenant t USING (tenant_id)"
)
COVERS = (
    " s.ended_at IS NULL AND (s.rule = '' OR s.rule = a.rule) AND (s.subject = '' OR s.subject = a.subject)"
    " AND (s.tenant_id IS NULL OR s.tenant_id = a.tenant_id) AND a.raised_at < s.until"
)
_IS_SUPPRESSED = f"EXISTS (SELECT FROM soc_suppression s WHERE{COVERS})"
IS_OPEN = "a.case_id IS NULL AND a.dismissed_at IS NULL"
"""Whether nobody has decided about an alert; those that are suppressed are open too."""
IS_REAL = f"a.origin <> '{Origin.EXERCISE}'"
_IN_SCOPE = "($1::uuid IS NULL OR a.tenant_id = $1)"
WAITS = f"{IS_OPEN} AND NOT {_IS_SUPPRESSED}"
_PARTS = {
    QueuePart.WAITING: WAITS,
    QueuePart.SUPPRESSED: f"{IS_OPEN} AND {_IS_SUPPRESSED}",
    QueuePart.DISMISSED: "a.dismissed_at IS NOT NULL",
}
_MOST_SEVERE_FIRST = (
    "($6::smallint IS NULL OR a.level < $6 OR (a.level = $6 AND (a.raised_at, a.alert_id) > ($7, $8)))"
    " ORDER BY a.level DESC, a.raised_at, a.alert_id"
)
_NEWEST_FIRST = "($6::smallint IS NULL OR $7::timestamptz IS NULL OR a.alert_id < $8::uuid) ORDER BY a.alert_id DESC"


async def fetch_queue(
    db: Database, scope: Scope, wanted: QueueFilter, after: Sequence[Any] | None, limit: int
) -> list[QueuedAlert]:
    """Return alerts without a case: the highest level first, of one level the oldest; dismissed ones the newest first.

    `after`: level, moment and key of the last alert of the page before.
    """
    rows = await db.fetch(
        f"{_ALERT} WHERE {_PARTS[wanted.part]} AND {_IN_SCOPE} AND a.level >= $2"
        " AND ($3 = '' OR position(lower($3) IN lower(a.title || ' ' || a.rule || ' ' || a.subject)) > 0)"
        " AND ($4::text IS NULL OR a.origin = $4) AND ($5::uuid IS NULL OR a.tenant_id = $5)"
        f" AND {_NEWEST_FIRST if wanted.part is QueuePart.DISMISSED else _MOST_SEVERE_FIRST} LIMIT $9",
        scope.tenant_id,
        int(wanted.level),
        wanted.text,
        wanted.origin,
        wanted.tenant_id,
        *(after or (None, None, None)),
        limit,
    )
    return [_queued(row) for row in rows]


async def count_part(db: Database, scope: Scope, part: QueuePart, most: int, *, exercises: bool = True) -> int:
    """Return how many alerts a part of the queue has, at most `most`; `exercises`: with those of exercises."""
    row = await db.fetchrow(
        f"SELECT count(*) AS found FROM (SELECT FROM soc_alert a WHERE {_PARTS[part]}"  # noqa: S608 - made of constants
        f" AND {_IN_SCOPE}{'' if exercises else f' AND {IS_REAL}'} LIMIT $2) found",
        scope.tenant_id,
        most,
    )
    return int(row["found"]) if row else 0


async def fetch_near(db: Database, alert: QueuedAlert, since: datetime, until: datetime) -> list[QueuedAlert]:
    """Return alerts of a member without a case that have the subject or the rule of an alert, the oldest first."""
    rows = await db.fetch(
        f"{_ALERT} WHERE a.tenant_id = $1 AND {_PARTS[QueuePart.WAITING]}"
        " AND ((a.subject = $2 AND a.subject <> '') OR a.rule = $3) AND a.last_at >= $4 AND a.first_at <= $5"
        " ORDER BY a.first_at, a.alert_id LIMIT 300",
        alert.tenant_id,
        alert.subject,
        alert.rule,
        since,
        until,
    )
    return [_queued(row) for row in rows]


async def fetch_queued(
    db: Database | Connection, scope: Scope, alert_id: UUID
) -> tuple[QueuedAlert, UUID | None] | None:
    """Return an alert as the queue lists it, with its case if it has one; None when there is none in a scope."""
    row = await db.fetchrow(
        f"{_ALERT} WHERE a.alert_id = $2 AND {_IN_SCOPE}",
        scope.tenant_id,
        alert_id,
    )
    return (_queued(row), row["case_id"]) if row else None


async def fetch_of_case(db: Database | Connection, case_id: UUID, limit: int) -> list[QueuedAlert]:
    """Return the alerts of a case, the oldest first."""
    rows = await db.fetch(f"{_ALERT} WHERE a.case_id = $1 ORDER BY a.first_at, a.alert_id LIMIT $2", case_id, limit)
    return [_queued(row) for row in rows]


async def fetch_rows(conn: Connection, alerts: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return whole alerts as they are stored, in the order of their keys; others wait for this transaction."""
    rows = await conn.fetch(
        "SELECT tenant_id, alert_id, key, raised_at, first_at, last_at, origin, rule, title, level, techniques,"
        " subject, reason, evidence FROM soc_alert WHERE alert_id = ANY($1) ORDER BY alert_id FOR UPDATE",
        [*alerts],
    )
    return [dict(row) for row in rows]


async def assign(conn: Connection, tenant_id: UUID, case_id: UUID, alerts: Sequence[UUID]) -> int:
    """Give alerts of a member without a case to one; return how many there were."""
    status = await conn.execute(
        "UPDATE soc_alert SET case_id = $2 WHERE tenant_id = $1 AND alert_id = ANY($3)"
        " AND case_id IS NULL AND dismissed_at IS NULL",
        tenant_id,
        case_id,
        [*alerts],
    )
    return int(str(status).rpartition(" ")[2])


async def move_alerts(conn: Connection, tenant_id: UUID, source: UUID, target: UUID) -> None:
    """Give the alerts of a case to another of the same member."""
    await conn.execute(
        "UPDATE soc_alert SET case_id = $3 WHERE tenant_id = $1 AND case_id = $2", tenant_id, source, target
    )


def _queued(row: Any) -> QueuedAlert:
    parts = {
        "origin": Origin(row["origin"]),
        "level": Level(row["level"]),
        "techniques": tuple(row["techniques"].split()),
    }
    return QueuedAlert(**{name: value for name, value in row.items() if name != "case_id"} | parts)
