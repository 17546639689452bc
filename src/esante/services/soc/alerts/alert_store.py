"""SQL of alerts."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import orjson

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.alerts.model import Alert, AlertFilter, Evidence, Level, Origin
from esante.services.soc.tenants.model import Scope

ALERT = Table(
    "soc_alert",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "alert_id": "uuid",
        "key": "text",
        "raised_at": "timestamptz",
        "first_at": "timestamptz",
        "last_at": "timestamptz",
        "origin": "text",
        "rule": "text",
        "title": "text",
        "level": "smallint",
        "techniques": "text",
        "subject": "text",
        "person_id": "uuid",
        "reason": "jsonb",
        "evidence": "jsonb",
    },
)
_ALERT = (
    "SELECT tenant_id, alert_id, key, raised_at, first_at, last_at, origin, rule, title, level, techniques, subject,"
    " person_id, reason, evidence FROM soc_alert"
)


def alert_row(alert: Alert) -> Row:
    """Return the row of a new alert."""
    values = {name: getattr(alert, name, None) for name in ALERT.columns}
    values["level"] = int(alert.level)
    values["techniques"] = " ".join(alert.techniques)
    values["reason"] = orjson.dumps({"why": alert.why, "values": dict(alert.values)}, default=str).decode()
    values["evidence"] = msgspec.json.encode(alert.evidence).decode()
    return ALERT, tuple(values.values())


async def lock_keys(conn: Connection, tenant_id: UUID, keys: Sequence[str]) -> set[str]:
    """Return those of some keys that a member's alerts have; whoever asks next waits for this transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('soc_alert' || $1, 0))", str(tenant_id))
    rows = await conn.fetch("SELECT key FROM soc_alert WHERE tenant_id = $1 AND key = ANY($2)", tenant_id, [*keys])
    return {row["key"] for row in rows}


async def fetch(db: Database | Connection, scope: Scope, alert_id: UUID) -> Alert | None:
    """Return an alert, or None when there is none in a scope."""
    row = await db.fetchrow(
        f"{_ALERT} WHERE alert_id = $1 AND ($2::uuid IS NULL OR tenant_id = $2)", alert_id, scope.tenant_id
    )
    return _alert(row) if row else None


async def fetch_page(db: Database, scope: Scope, wanted: AlertFilter, before: UUID | None, limit: int) -> list[Alert]:
    """Return alerts of a scope, the newest first; `before`: the last key of the page before."""
    rows = await db.fetch(
        f"{_ALERT} WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR alert_id < $2) AND level >= $3"
        " AND ($4 = '' OR position(lower($4) IN lower(title || ' ' || subject)) > 0)"
        " AND ($5::text IS NULL OR origin = $5) AND ($6::timestamptz IS NULL OR raised_at >= $6)"
        " ORDER BY alert_id DESC LIMIT $7",
        scope.tenant_id,
        before,
        int(wanted.level),
        wanted.text,
        wanted.origin,
        wanted.since,
        limit,
    )
    return [_alert(row) for row in rows]


async def unlink_person(conn: Connection, person_id: UUID, limit: int) -> int:
    """Take a person out of some alerts about their data; return how many.

    What a professional did stays; key and explanation no longer have the person's key.
    """
    rows = await conn.fetch(
        "UPDATE soc_alert SET person_id = NULL, key = 'unlinked:' || encode(sha256(key::bytea), 'hex'),"
        " reason = replace(reason::text, $1::text, '')::jsonb WHERE ctid = ANY(ARRAY("
        "SELECT ctid FROM soc_alert WHERE person_id = $1::uuid LIMIT $2)) RETURNING 1",
        person_id,
        limit,
    )
    return len(rows)


def _alert(row: Any) -> Alert:
    values = dict(row)
    reason = orjson.loads(values.pop("reason"))
    return Alert(
        **values
        | {
            "origin": Origin(row["origin"]),
            "level": Level(row["level"]),
            "techniques": tuple(row["techniques"].split()),
            "evidence": tuple(Evidence(**one) for one in orjson.loads(row["evidence"])),
            "why": reason["why"],
            "values": reason["values"],
        }
    )
