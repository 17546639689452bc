"""SQL of kept hunts, of runs and of what they found."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import orjson

from esante.core import clock
from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.hunting.model import FoundEvent, Hunt, HuntRun, RunState, SavedHunt
from esante.services.soc.tenants.model import Scope

HUNT = Table(
    "soc_hunt",
    Kind.LOCAL,
    {
        "hunt_id": "uuid",
        "tenant_id": "uuid",
        "name": "text",
        "days": "integer",
        "hunt": "jsonb",
        "saved_by": "text",
        "saved_at": "timestamptz",
    },
)
RUN = Table(
    "soc_hunt_run",
    Kind.LOCAL,
    {
        "run_id": "uuid",
        "tenant_id": "uuid",
        "owner_id": "uuid",
        "owner": "text",
        "name": "text",
        "hunt": "jsonb",
        "state": "text",
        "rows_done": "bigint",
        "rows_total": "bigint",
        "matches": "bigint",
        "failure": "text",
        "started_at": "timestamptz",
        "beat_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)
HOUR = Table("soc_hunt_hour", Kind.LOCAL, {"run_id": "uuid", "hour": "timestamptz", "matches": "bigint"})
MATCH = Table(
    "soc_hunt_match",
    Kind.LOCAL,
    {
        "run_id": "uuid",
        "place": "integer",
        "tenant_id": "uuid",
        "event_id": "text",
        "at": "timestamptz",
        "event": "text",
    },
)
_RUN = (
    "SELECT run_id, tenant_id, owner_id, owner, name, hunt, state, rows_done, rows_total, matches, failure,"
    " started_at, ended_at FROM soc_hunt_run"
)
_SEEN = "($1::uuid IS NULL OR tenant_id = $1)"


def saved_row(saved: SavedHunt) -> Row:
    """Return the row of a hunt that is kept."""
    values = {name: getattr(saved, name) for name in HUNT.columns}
    return HUNT, tuple((values | {"hunt": _encoded(saved.hunt)}).values())


def run_row(run: HuntRun) -> Row:
    """Return the row of a run that begins."""
    values = {name: getattr(run, name, None) for name in RUN.columns}
    return RUN, tuple((values | {"hunt": _encoded(run.hunt), "beat_at": run.started_at}).values())


async def fetch_saved_page(db: Database, scope: Scope, text: str, before: UUID | None, limit: int) -> list[SavedHunt]:
    """Return the kept hunts of a scope, the newest first; `text`: a part of the name."""
    rows = await db.fetch(
        f"SELECT hunt_id, tenant_id, name, days, hunt, saved_by, saved_at FROM soc_hunt WHERE {_SEEN}"  # noqa: S608
        " AND ($2 = '' OR position(lower($2) IN lower(name)) > 0) AND ($3::uuid IS NULL OR hunt_id < $3)"
        " ORDER BY hunt_id DESC LIMIT $4",
        scope.tenant_id,
        text,
        before,
        limit,
    )
    return [SavedHunt(**{**row, "hunt": _decoded(row["hunt"])}) for row in rows]


async def fetch_saved(db: Database, scope: Scope, hunt_id: UUID) -> SavedHunt | None:
    """Return a kept hunt of a scope, or None."""
    row = await db.fetchrow(
        f"SELECT hunt_id, tenant_id, name, days, hunt, saved_by, saved_at FROM soc_hunt WHERE {_SEEN}"  # noqa: S608
        " AND hunt_id = $2",
        scope.tenant_id,
        hunt_id,
    )
    return SavedHunt(**{**row, "hunt": _decoded(row["hunt"])}) if row else None


async def delete_saved(conn: Connection, scope: Scope, hunt_id: UUID) -> bool:
    """Delete a kept hunt of a scope; return whether there was one."""
    return bool(
        await conn.fetchval(
            f"DELETE FROM soc_hunt WHERE {_SEEN} AND hunt_id = $2 RETURNING 1",  # noqa: S608 - a constant
            scope.tenant_id,
            hunt_id,
        )
    )


async def fetch_run(db: Database | Connection, scope: Scope, run_id: UUID) -> HuntRun | None:
    """Return a run of a scope, or None."""
    row = await db.fetchrow(f"{_RUN} WHERE {_SEEN} AND run_id = $2", scope.tenant_id, run_id)
    return _run(row) if row else None


async def fetch_runs(db: Database, scope: Scope, text: str, before: UUID | None, limit: int) -> list[HuntRun]:
    """Return the runs of a scope, the newest first; `text`: a part of what was looked for, or of who did."""
    rows = await db.fetch(
        f"{_RUN} WHERE {_SEEN} AND ($2::uuid IS NULL OR run_id < $2) AND ($4 = '' OR position(lower($4) IN"
        " lower(owner || ' ' || coalesce(hunt->>'text', '') || ' ' || coalesce(jsonb_path_query_array(hunt,"
        " '$.conditions[*].value')::text, ''))) > 0) ORDER BY run_id DESC LIMIT $3",
        scope.tenant_id,
        before,
        limit,
        text,
    )
    return [_run(row) for row in rows]


async def count_running(db: Database | Connection, tenant_id: UUID | None) -> int:
    """Return how many runs of a member (None: of the agency) are not over."""
    return int(
        await db.fetchval(
            "SELECT count(*) FROM soc_hunt_run WHERE state = 'running' AND tenant_id IS NOT DISTINCT FROM $1",
            tenant_id,
        )
    )


async def fetch_matches(db: Database, run_id: UUID, text: str, after: int, limit: int) -> list[tuple[int, FoundEvent]]:
    """Return what a run found, with its places, from a place on; `text`: a part of the event."""
    rows = await db.fetch(
        "SELECT place, tenant_id, event_id, at, event FROM soc_hunt_match WHERE run_id = $1 AND place >= $2"
        " AND ($4 = '' OR position(lower($4) IN lower(event)) > 0) ORDER BY place LIMIT $3",
        run_id,
        after,
        limit,
        text,
    )
    return [
        (row["place"], FoundEvent(row["tenant_id"], row["event_id"], row["at"], orjson.loads(row["event"])))
        for row in rows
    ]


async def fetch_hours(db: Database, run_id: UUID) -> list[tuple[datetime, int]]:
    """Return the number of matches of a run by hour, the oldest first."""
    rows = await db.fetch("SELECT hour, matches FROM soc_hunt_hour WHERE run_id = $1 ORDER BY hour", run_id)
    return [(row["hour"], row["matches"]) for row in rows]


async def beat(db: Database, run_id: UUID, rows_done: int, rows_total: int, matches: int) -> bool:
    """Keep the progress of a run; return whether it shall go on."""
    return bool(
        await db.fetchval(
            "UPDATE soc_hunt_run SET rows_done = $2, rows_total = $3, matches = $4, beat_at = $5"
            " WHERE run_id = $1 AND state = 'running' RETURNING 1",
            run_id,
            rows_done,
            rows_total,
            matches,
            clock.now(),
        )
    )


async def end(conn: Connection | Database, run_id: UUID, state: RunState, failure: str = "") -> bool:
    """End a run that is running; return whether it was."""
    return bool(
        await conn.fetchval(
            "UPDATE soc_hunt_run SET state = $2, failure = $3, ended_at = $4 WHERE run_id = $1 AND state = 'running'"
            " RETURNING 1",
            run_id,
            state,
            failure,
            clock.now(),
        )
    )


async def end_abandoned(db: Database, age: timedelta, failure: str) -> None:
    """End the runs whose process has died."""
    now = clock.now()
    await db.fetch(
        "UPDATE soc_hunt_run SET state = 'failed', failure = $2, ended_at = $3"
        " WHERE state = 'running' AND beat_at < $1",
        now - age,
        failure,
        now,
    )


async def delete_matches(db: Database, before: datetime) -> None:
    """Delete what runs found that ended before a time; the runs themselves stay."""
    await db.fetch(
        "DELETE FROM soc_hunt_match m USING soc_hunt_run r WHERE r.run_id = m.run_id AND r.ended_at < $1", before
    )


async def delete_runs(db: Database, before: datetime) -> None:
    """Delete the runs that ended before a time."""
    await db.fetch("DELETE FROM soc_hunt_run WHERE ended_at < $1", before)


async def delete_of_tenant(conn: Connection, tenant_id: UUID) -> None:
    """Delete the runs and kept hunts of a member, and its events that runs of the agency found."""
    await conn.execute("DELETE FROM soc_hunt_match WHERE tenant_id = $1", tenant_id)
    await conn.execute("DELETE FROM soc_hunt_run WHERE tenant_id = $1", tenant_id)
    await conn.execute("DELETE FROM soc_hunt WHERE tenant_id = $1", tenant_id)


def match_row(run_id: UUID, place: int, found: FoundEvent) -> Row:
    """Return the row of an event that a run found."""
    event = orjson.dumps(found.event).decode()
    return MATCH, (run_id, place, found.tenant_id, found.event_id, found.at, event)


def hour_rows(run_id: UUID, hours: dict[datetime, int]) -> Sequence[Row]:
    """Return the rows of the matches by hour."""
    return [(HOUR, (run_id, hour, count)) for hour, count in sorted(hours.items())]


def _run(row: Any) -> HuntRun:
    return HuntRun(**{**row, "hunt": _decoded(row["hunt"]), "state": RunState(row["state"])})


def _encoded(hunt: Hunt) -> str:
    return msgspec.json.encode(hunt).decode()


def _decoded(text: str) -> Hunt:
    return msgspec.json.decode(text, type=Hunt)
