"""SQL of the overview: alerts that wait, cases, silent sources, rules and days with the most alerts."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from esante.core.storage import Database, uuid7_floor
from esante.services.soc.alerts.model import Level
from esante.services.soc.console.model import RuleCount, SilentSource, WaitingAlerts
from esante.services.soc.tenants.model import Scope
from esante.services.soc.triage.triage_store import IS_REAL, WAITS

MOST_COUNTED = 10_000
"""Alerts of a level that are counted."""
MOST_LISTED = 10
_SILENT = (
    "SELECT s.tenant_id, t.name AS tenant, s.source_id, s.name, s.last_event_at, s.expected_every"
    " FROM soc_source s JOIN soc_tenant t USING (tenant_id) WHERE s.ended_at IS NULL AND t.is_active"
    " AND coalesce(s.last_event_at, s.added_at) + s.expected_every < $1"
)


class _Conditions:
    """Conditions of a statement with their values: only those that are asked for stand in it, for its plan."""

    def __init__(self, *conditions: str) -> None:
        self._conditions, self.values = [*conditions], list[Any]()

    def add(self, condition: str, value: Any) -> "_Conditions":
        """Add a condition that ends with the place of its value; none for None."""
        if value is not None:
            self.values.append(value)
            self._conditions.append(f"{condition} ${len(self.values)}")
        return self

    def __str__(self) -> str:
        return " AND ".join(self._conditions) or "true"


async def fetch_sizes(db: Database, scope: Scope) -> tuple[int, int]:
    """Return how many members a scope has, and how many sources of them have not ended."""
    row = await db.fetchrow(
        "SELECT (SELECT count(*) FROM soc_tenant WHERE $1::uuid IS NULL OR tenant_id = $1) AS members,"
        " (SELECT count(*) FROM soc_source WHERE ended_at IS NULL AND ($1::uuid IS NULL OR tenant_id = $1))"
        " AS sources",
        scope.tenant_id,
    )
    return (row["members"], row["sources"]) if row else (0, 0)


async def fetch_waiting(db: Database, scope: Scope) -> list[WaitingAlerts]:
    """Return the alerts without a case by level, the highest first; suppressed ones and exercises do not count."""
    found = []
    for level in sorted(Level, reverse=True):
        where = _Conditions(WAITS, IS_REAL)
        where.add("a.tenant_id =", scope.tenant_id).add("a.level =", int(level))
        row = await db.fetchrow(
            f"SELECT count(*) AS count, (array_agg(alert_id))[1] AS oldest_id, min(raised_at) AS oldest_at"  # noqa: S608
            f" FROM (SELECT a.alert_id, a.raised_at FROM soc_alert a WHERE {where}"
            f" ORDER BY a.raised_at, a.alert_id LIMIT {MOST_COUNTED:d}) waiting",
            *where.values,
        )
        if row is not None:
            found.append(WaitingAlerts(level=int(level), **row))
    return found


async def fetch_cases(db: Database, scope: Scope) -> dict[str, int]:
    """Return how many cases there are by state, exercises aside."""
    where = _Conditions("NOT is_exercise").add("tenant_id =", scope.tenant_id)
    rows = await db.fetch(
        f"SELECT state, count(*) AS count FROM soc_case WHERE {where} GROUP BY state",  # noqa: S608
        *where.values,
    )
    return {row["state"]: row["count"] for row in rows}


async def fetch_silent(db: Database, scope: Scope, now: datetime) -> list[SilentSource]:
    """Return sources of which nothing has come for longer than it should, those first that are silent longest."""
    where, values = "", [now, *([scope.tenant_id] if scope.tenant_id else [])]
    if scope.tenant_id is not None:
        where = " AND s.tenant_id = $2"
    rows = await db.fetch(
        f"{_SILENT}{where} ORDER BY coalesce(s.last_event_at, s.added_at), s.source_id LIMIT {MOST_LISTED:d}", *values
    )
    return [SilentSource(**row) for row in rows]


async def fetch_rules(db: Database, scope: Scope, since: datetime) -> list[RuleCount]:
    """Return the rules with the most alerts since a moment."""
    where = _Conditions(IS_REAL).add("tenant_id =", scope.tenant_id).add("alert_id >=", uuid7_floor(since))
    rows = await db.fetch(
        "SELECT rule, max(title) AS title, max(level) AS level, count(*) AS count FROM soc_alert a"  # noqa: S608
        f" WHERE {where} GROUP BY rule ORDER BY count(*) DESC, rule LIMIT {MOST_LISTED:d}",
        *where.values,
    )
    return [RuleCount(**row) for row in rows]


async def fetch_days(db: Database, scope: Scope, since: datetime, zone: str) -> Sequence[tuple[date, int]]:
    """Return the calendar days of a zone with alerts since a moment, with how many."""
    where = _Conditions(IS_REAL).add("tenant_id =", scope.tenant_id).add("alert_id >=", uuid7_floor(since))
    rows = await db.fetch(
        f"SELECT (raised_at AT TIME ZONE ${len(where.values) + 1})::date AS day, count(*) AS count"  # noqa: S608
        f" FROM soc_alert a WHERE {where} GROUP BY day ORDER BY day",
        *where.values,
        zone,
    )
    return [(row["day"], row["count"]) for row in rows]
