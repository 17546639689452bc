"""SQL of sightings and advisories."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import orjson

from esante.core import clock
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.intelligence.observables import Observable, ObservableKind
from esante.services.soc.sharing.model import Advisory, AdvisoryText, Receipt
from esante.services.soc.tenants.model import Scope

SIGHTING = Table("soc_sighting", Kind.LOCAL, {"token": "bytea", "day": "date", "tenant_id": "uuid"})
QUESTION = Table("soc_sighting_question", Kind.LOCAL, {"tenant_id": "uuid", "day": "date", "asked": "integer"})
ADVISORY = Table(
    "soc_advisory",
    Kind.LOCAL,
    {
        "advisory_id": "uuid",
        "tlp": "text",
        "is_exercise": "boolean",
        "to_all": "boolean",
        "texts": "jsonb",
        "indicators": "jsonb",
        "written_by": "text",
        "published_at": "timestamptz",
        "withdrawn_at": "timestamptz",
    },
)
RECEIPT = Table(
    "soc_advisory_receipt",
    Kind.LOCAL,
    {"advisory_id": "uuid", "tenant_id": "uuid", "acknowledged_by": "text", "acknowledged_at": "timestamptz"},
    once=True,
)
_ADVISORY = (
    "SELECT a.advisory_id, a.tlp, a.is_exercise, a.to_all, a.texts, a.indicators, a.written_by, a.published_at,"
    " a.withdrawn_at, (SELECT r.acknowledged_at FROM soc_advisory_receipt r WHERE r.advisory_id = a.advisory_id"
    " AND r.tenant_id = $1) AS own_at, CASE WHEN $1::uuid IS NULL THEN (SELECT count(*) FROM soc_advisory_receipt r"
    " WHERE r.advisory_id = a.advisory_id) ELSE 0 END AS receipts, CASE WHEN $1::uuid IS NULL THEN (SELECT"
    " count(r.acknowledged_at) FROM soc_advisory_receipt r WHERE r.advisory_id = a.advisory_id) ELSE 0 END AS"
    " acknowledged FROM soc_advisory a WHERE ($1::uuid IS NULL OR (a.withdrawn_at IS NULL AND EXISTS (SELECT FROM"
    " soc_advisory_receipt r WHERE r.advisory_id = a.advisory_id AND r.tenant_id = $1)))"
)


async def add_sightings(conn: Connection, tokens: Sequence[bytes], day: date, tenant_id: UUID) -> None:
    """Keep that a member saw observables on a day."""
    await conn.execute(
        "INSERT INTO soc_sighting SELECT token, $2, $3 FROM unnest($1::bytea[]) token ON CONFLICT DO NOTHING",
        [*tokens],
        day,
        tenant_id,
    )


async def fetch_sighting_members(conn: Connection, token: bytes, since: date) -> set[UUID]:
    """Return the members that saw an observable since a day."""
    rows = await conn.fetch("SELECT DISTINCT tenant_id FROM soc_sighting WHERE token = $1 AND day >= $2", token, since)
    return {row["tenant_id"] for row in rows}


async def count_question(conn: Connection, tenant_id: UUID, day: date) -> int:
    """Count a question of a member; return how many it asked on that day."""
    return int(
        await conn.fetchval(
            "INSERT INTO soc_sighting_question AS q VALUES ($1, $2, 1)"
            " ON CONFLICT (tenant_id, day) DO UPDATE SET asked = q.asked + 1 RETURNING asked",
            tenant_id,
            day,
        )
    )


async def delete_sightings(db: Database, before: date) -> None:
    """Delete sightings and questions of days before one."""
    await db.fetch("DELETE FROM soc_sighting WHERE day < $1", before)
    await db.fetch("DELETE FROM soc_sighting_question WHERE day < $1", before)


async def delete_of_tenant(conn: Connection, tenant_id: UUID) -> None:
    """Delete the sightings and questions of a member."""
    await conn.execute("DELETE FROM soc_sighting WHERE tenant_id = $1", tenant_id)
    await conn.execute("DELETE FROM soc_sighting_question WHERE tenant_id = $1", tenant_id)


def advisory_rows(advisory: Advisory, tenants: Sequence[UUID]) -> list[Row]:
    """Return the rows of an advisory to members."""
    values = {name: getattr(advisory, name) for name in ADVISORY.columns}
    values["tlp"] = advisory.tlp.value
    values["texts"] = msgspec.json.encode(advisory.texts).decode()
    values["indicators"] = orjson.dumps([[one.kind.value, one.value] for one in advisory.indicators]).decode()
    receipts: list[Row] = [(RECEIPT, (advisory.advisory_id, tenant_id, None, None)) for tenant_id in tenants]
    return [(ADVISORY, tuple(values.values())), *receipts]


async def fetch_active_tenants(conn: Connection) -> list[UUID]:
    """Return the active members that are organisations."""
    rows = await conn.fetch("SELECT tenant_id FROM soc_tenant WHERE is_active AND organization_id IS NOT NULL")
    return [row["tenant_id"] for row in rows]


async def fetch_advisory(db: Database | Connection, scope: Scope, advisory_id: UUID) -> Advisory | None:
    """Return an advisory that a scope sees, or None."""
    row = await db.fetchrow(f"{_ADVISORY} AND a.advisory_id = $2", scope.tenant_id, advisory_id)
    return _advisory(row) if row else None


async def fetch_advisories(db: Database, scope: Scope, text: str, before: UUID | None, limit: int) -> list[Advisory]:
    """Return the advisories that a scope sees, the newest first; `text`: a part of their texts."""
    rows = await db.fetch(
        f"{_ADVISORY} AND ($2 = '' OR position(lower($2) IN lower(a.texts::text)) > 0)"
        " AND ($3::uuid IS NULL OR a.advisory_id < $3) ORDER BY a.advisory_id DESC LIMIT $4",
        scope.tenant_id,
        text,
        before,
        limit,
    )
    return [_advisory(row) for row in rows]


async def fetch_receipts(db: Database, advisory_id: UUID) -> list[Receipt]:
    """Return the members who got an advisory, those that have not confirmed it first."""
    rows = await db.fetch(
        "SELECT r.tenant_id, t.name, r.acknowledged_by, r.acknowledged_at FROM soc_advisory_receipt r"
        " JOIN soc_tenant t USING (tenant_id) WHERE r.advisory_id = $1"
        " ORDER BY r.acknowledged_at NULLS FIRST, lower(t.name), r.tenant_id",
        advisory_id,
    )
    return [Receipt(**row) for row in rows]


async def acknowledge(conn: Connection, advisory_id: UUID, tenant_id: UUID, name: str) -> bool:
    """Keep that a member confirmed an advisory; False when it has before."""
    status = await conn.execute(
        "UPDATE soc_advisory_receipt SET acknowledged_by = $3, acknowledged_at = $4"
        " WHERE advisory_id = $1 AND tenant_id = $2 AND acknowledged_at IS NULL",
        advisory_id,
        tenant_id,
        name,
        clock.now(),
    )
    return str(status) == "UPDATE 1"


async def withdraw(conn: Connection, advisory_id: UUID) -> bool:
    """Withdraw an advisory; False when it is withdrawn."""
    status = await conn.execute(
        "UPDATE soc_advisory SET withdrawn_at = $2 WHERE advisory_id = $1 AND withdrawn_at IS NULL",
        advisory_id,
        clock.now(),
    )
    return str(status) == "UPDATE 1"


def _advisory(row: Any) -> Advisory:
    return Advisory(
        **{
            **row,
            "tlp": Tlp(row["tlp"]),
            "texts": msgspec.json.decode(row["texts"], type=dict[str, AdvisoryText]),
            "indicators": [Observable(ObservableKind(kind), value) for kind, value in orjson.loads(row["indicators"])],
        }
    )
