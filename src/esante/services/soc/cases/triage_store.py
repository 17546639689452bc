"""SQL of the queue: alerts without a case, and suppressions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.alerts.model import Level, Origin
from esante.services.soc.cases.model import QueuedAlert, QueueFilter, Suppression
from esante.services.soc.tenants.model import Scope

SUPPRESSION = Table(
    "soc_suppression",
    Kind.LOCAL,
    {
        "suppression_id": "uuid",
        "tenant_id": "uuid",
        "rule": "text",
        "subject": "text",
        "reason": "text",
        "owner_id": "uuid",
        "owner": "text",
        "created_at": "timestamptz",
        "until": "timestamptz",
        "ended_at": "timestamptz",
        "ended_by": "text",
    },
)
_ALERT = (
    "SELECT a.tenant_id, a.alert_id, t.name AS tenant, a.raised_at, a.first_at, a.last_at, a.origin, a.rule, a.title,"
    " a.level, a.techniques, a.subject FROM soc_alert a JOIN soc_tenant t USING (tenant_id)"
)
_COVERS = (
    " s.ended_at IS NULL AND (s.rule = '' OR s.rule = a.rule) AND (s.subject = '' OR s.subject = a.subject)"
    " AND (s.tenant_id IS NULL OR s.tenant_id = a.tenant_id) AND a.raised_at < s.until"
)
_IS_SUPPRESSED = f"EXISTS (SELECT FROM soc_suppression s WHERE{_COVERS})"
_WAITS = "a.case_id IS NULL AND ($1::uuid IS NULL OR a.tenant_id = $1)"


def suppression_row(suppression: Suppression) -> Row:
    """Return the row of a new suppression."""
    return SUPPRESSION, tuple(getattr(suppression, name) for name in SUPPRESSION.columns)


async def fetch_queue(
    db: Database, scope: Scope, wanted: QueueFilter, after: Sequence[Any] | None, limit: int
) -> list[QueuedAlert]:
    """Return alerts without a case: the highest level first, of one level the oldest.

    `after`: level, moment and key of the last alert of the page before.
    """
    rows = await db.fetch(
        f"{_ALERT} WHERE {_WAITS} AND {'' if wanted.suppressed else 'NOT '}{_IS_SUPPRESSED} AND a.level >= $2"
        " AND ($3 = '' OR position(lower($3) IN lower(a.title || ' ' || a.rule || ' ' || a.subject)) > 0)"
        " AND ($4::text IS NULL OR a.origin = $4) AND ($5::uuid IS NULL OR a.tenant_id = $5)"
        " AND ($6::smallint IS NULL OR a.level < $6 OR (a.level = $6 AND (a.raised_at, a.alert_id) > ($7, $8)))"
        " ORDER BY a.level DESC, a.raised_at, a.alert_id LIMIT $9",
        scope.tenant_id,
        int(wanted.level),
        wanted.text,
        wanted.origin,
        wanted.tenant_id,
        *(after or (None, None, None)),
        limit,
    )
    return [_queued(row) for row in rows]


async def count_waiting(db: Database, scope: Scope, *, suppressed: bool, most: int) -> int:
    """Return how many alerts without a case there are, at most `most`."""
    row = await db.fetchrow(
        f"SELECT count(*) AS found FROM (SELECT FROM soc_alert a WHERE {_WAITS}"  # noqa: S608 - made of constants
        f" AND {'' if suppressed else 'NOT '}{_IS_SUPPRESSED} LIMIT $2) found",
        scope.tenant_id,
        most,
    )
    return int(row["found"]) if row else 0


async def fetch_near(db: Database, alert: QueuedAlert, since: datetime, until: datetime) -> list[QueuedAlert]:
    """Return alerts of a member without a case that have the subject or the rule of an alert, the oldest first."""
    rows = await db.fetch(
        f"{_ALERT} WHERE a.tenant_id = $1 AND a.case_id IS NULL AND NOT {_IS_SUPPRESSED}"
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
        f"{_ALERT.replace('a.subject FROM', 'a.subject, a.case_id FROM')}"
        " WHERE a.alert_id = $2 AND ($1::uuid IS NULL OR a.tenant_id = $1)",
        scope.tenant_id,
        alert_id,
    )
    if row is None:
        return None
    values = dict(row)
    case_id = values.pop("case_id")
    return _queued(values), case_id


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
        "UPDATE soc_alert SET case_id = $2 WHERE tenant_id = $1 AND alert_id = ANY($3) AND case_id IS NULL",
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


async def fetch_suppression(conn: Connection, suppression_id: UUID) -> Suppression | None:
    """Return a suppression, or None; others wait for this transaction."""
    row = await conn.fetchrow(
        f"SELECT {', '.join(SUPPRESSION.columns)} FROM soc_suppression"  # noqa: S608 - names are declared in code
        " WHERE suppression_id = $1 FOR UPDATE",
        suppression_id,
    )
    return Suppression(**row) if row else None


async def end_suppression(conn: Connection, suppression_id: UUID, at: datetime, by: str) -> None:
    """Keep that a suppression was ended."""
    await conn.execute(
        "UPDATE soc_suppression SET ended_at = $2, ended_by = $3 WHERE suppression_id = $1", suppression_id, at, by
    )


async def fetch_suppressions(
    db: Database, text: str, before: UUID | None, limit: int
) -> list[tuple[Suppression, int]]:
    """Return suppressions, the newest first, each with the number of alerts that it keeps out of the queue."""
    columns = ", ".join(f"s.{name}" for name in SUPPRESSION.columns)
    rows = await db.fetch(
        f"SELECT {columns}, (SELECT count(*) FROM soc_alert a WHERE a.case_id IS NULL AND{_COVERS}) AS found"  # noqa: S608
        " FROM soc_suppression s WHERE ($1 = '' OR position(lower($1) IN lower(s.rule || ' ' || s.subject || ' '"
        " || s.reason || ' ' || s.owner)) > 0) AND ($2::uuid IS NULL OR s.suppression_id < $2)"
        " ORDER BY s.suppression_id DESC LIMIT $3",
        text,
        before,
        limit,
    )
    found = []
    for row in rows:
        values = dict(row)
        count = values.pop("found")
        found.append((Suppression(**values), count))
    return found


def _queued(row: Any) -> QueuedAlert:
    parts = {
        "origin": Origin(row["origin"]),
        "level": Level(row["level"]),
        "techniques": tuple(row["techniques"].split()),
    }
    return QueuedAlert(**dict(row) | parts)
