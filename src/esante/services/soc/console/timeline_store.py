"""SQL of the timeline: alerts and what happened in cases, by the moments of their keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import Database, uuid7_floor
from esante.services.soc.console.model import Moment, TimelineFilter
from esante.services.soc.tenants.model import Scope
from esante.services.soc.triage.triage_store import IS_REAL

_ALERTS = (
    "SELECT a.alert_id AS key, a.tenant_id, t.name AS tenant, a.raised_at AS at, 'alert' AS kind, a.title, a.subject,"  # noqa: S608
    " a.level, a.alert_id AS target, '' AS actor, '{}' AS params, '' AS text,"
    f" NOT ({IS_REAL}) AS is_exercise FROM soc_alert a"
    " JOIN soc_tenant t USING (tenant_id)"
)
_CASES = (
    "SELECT e.entry_id AS key, c.tenant_id, t.name AS tenant, e.at, e.kind, c.title, c.reference AS subject,"
    " c.severity AS level, c.case_id AS target, e.actor, e.params::text AS params, e.text, c.is_exercise"
    " FROM soc_case_entry e"
    " JOIN soc_case c USING (case_id) JOIN soc_tenant t USING (tenant_id)"
)

_ALERT_COLUMNS = ("a.tenant_id", "a.alert_id", "a.level", "a.title", "a.subject")
_CASE_COLUMNS = ("c.tenant_id", "e.entry_id", "c.severity", "c.title", "c.reference")


async def fetch_page(
    db: Database, scope: Scope, wanted: TimelineFilter, *, internal: bool, before: UUID | None, limit: int
) -> list[Moment]:
    """Return moments of a scope, the newest first; `internal`: with what only operators see."""
    values: list[Any] = []
    parts = []
    if wanted.kind in ("", "alerts"):
        where = _where(values, scope, wanted, before, _ALERT_COLUMNS)
        parts.append(f"({_ALERTS}{where} ORDER BY a.alert_id DESC LIMIT {limit:d})")
    if wanted.kind in ("", "cases"):
        where = _where(values, scope, wanted, before, _CASE_COLUMNS)
        if not internal:
            where = f"{where} AND NOT e.is_internal" if where else " WHERE NOT e.is_internal"
        parts.append(f"({_CASES}{where} ORDER BY e.entry_id DESC LIMIT {limit:d})")
    both = " UNION ALL ".join(parts)
    rows = await db.fetch(f"SELECT * FROM ({both}) found ORDER BY key DESC LIMIT {limit:d}", *values)  # noqa: S608
    return [Moment(**dict(row) | {"params": orjson.loads(row["params"])}) for row in rows]


def _where(
    values: list[Any], scope: Scope, wanted: TimelineFilter, before: UUID | None, columns: tuple[str, ...]
) -> str:
    tenant, key, level, *texts = columns
    conditions = []

    def add(condition: str, value: Any) -> None:
        if value is not None:
            values.append(value)
            conditions.append(condition.replace("$", f"${len(values)}"))

    add(f"{tenant} = $", scope.tenant_id)
    add(f"{tenant} = $", wanted.tenant_id)
    add(f"{key} < $", before)
    add(f"{key} < $", _floor(wanted.until))
    add(f"{level} >= $", wanted.level or None)
    add(f"position($ IN lower({texts[0]} || ' ' || {texts[1]})) > 0", wanted.text.lower() or None)
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _floor(moment: datetime | None) -> UUID | None:
    return uuid7_floor(moment) if moment else None
