"""SQL of anomalies and of planned works."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Kind, Row, Table
from esante.services.healthnet.supervision.model import Anomaly, PlannedWork, Subject

ANOMALY = Table(
    "healthnet_anomaly",
    Kind.LOCAL,
    {
        "anomaly_id": "uuid",
        "site": "text",
        "other": "text",
        "rule": "text",
        "level": "integer",
        "value": "double precision",
        "began_at": "timestamptz",
        "raised_at": "timestamptz",
        "ended_at": "timestamptz",
    },
)
WORK = Table(
    "healthnet_planned_work",
    Kind.LOCAL,
    {
        "work_id": "uuid",
        "site": "text",
        "begins_at": "timestamptz",
        "ends_at": "timestamptz",
        "reason": "text",
        "announced_by": "text",
        "announced_at": "timestamptz",
        "withdrawn_at": "timestamptz",
    },
)
_ANOMALY = f"SELECT {', '.join(ANOMALY.columns)} FROM healthnet_anomaly"  # noqa: S608 - declared in code
_WORK = f"SELECT {', '.join(WORK.columns)} FROM healthnet_planned_work"  # noqa: S608 - declared in code


def anomaly_row(anomaly: Anomaly) -> Row:
    """Return the row of an anomaly."""
    return ANOMALY, tuple(getattr(anomaly, name) for name in ANOMALY.columns)


def work_row(work: PlannedWork) -> Row:
    """Return the row of planned works."""
    return WORK, tuple(getattr(work, name) for name in WORK.columns)


async def end_anomalies(conn: Conn, subjects: Iterable[Subject], at: datetime) -> dict[Subject, datetime]:
    """End open anomalies; return when each began."""
    ended = [*subjects]
    rows = await conn.fetch(
        "UPDATE healthnet_anomaly a SET ended_at = $4 FROM unnest($1::text[], $2::text[], $3::text[])"
        " AS over (site, other, rule) WHERE a.site = over.site AND a.other = over.other AND a.rule = over.rule"
        " AND a.ended_at IS NULL RETURNING a.site, a.other, a.rule, a.began_at",
        [one.site for one in ended],
        [one.other for one in ended],
        [one.rule for one in ended],
        at,
    )
    return {Subject(row["site"], row["other"], row["rule"]): row["began_at"] for row in rows}


async def fetch_open(db: Database | Conn) -> list[Anomaly]:
    """Return the anomalies that last."""
    return [Anomaly(**row) for row in await db.fetch(f"{_ANOMALY} WHERE ended_at IS NULL ORDER BY raised_at")]


async def fetch_page(
    db: Database, site: str, text: str, rule: str, before: UUID | None, limit: int, *, is_open: bool
) -> list[Anomaly]:
    """Return anomalies of a site and a rule ("": any), the newest first; `text`: a part of a key."""
    state = "IS NULL" if is_open else "IS NOT NULL"
    rows = await db.fetch(
        f"{_ANOMALY} WHERE ended_at {state} AND ($1 = '' OR site = $1 OR other = $1) AND ($2 = '' OR"
        " position(upper($2) IN site || ' ' || other) > 0) AND ($3 = '' OR rule = $3)"
        " AND ($4::uuid IS NULL OR anomaly_id < $4) ORDER BY anomaly_id DESC LIMIT $5",
        site,
        text,
        rule,
        before,
        limit,
    )
    return [Anomaly(**row) for row in rows]


async def fetch_of_rule(
    db: Database | Conn, rule: str, begin: datetime, end: datetime, sites: Sequence[str] | None = None
) -> list[Anomaly]:
    """Return the anomalies of a rule that touch a time, of some sites (None: of all), the oldest first."""
    rows = await db.fetch(
        f"{_ANOMALY} WHERE rule = $1 AND began_at < $3 AND (ended_at IS NULL OR ended_at > $2)"
        " AND ($4::text[] IS NULL OR site = ANY($4)) ORDER BY began_at",
        rule,
        begin,
        end,
        None if sites is None else [*sites],
    )
    return [Anomaly(**row) for row in rows]


async def delete_ended(conn: Conn, before: datetime) -> None:
    """Delete anomalies that were over before a moment."""
    await conn.execute("DELETE FROM healthnet_anomaly WHERE ended_at < $1", before)


async def fetch_works(
    db: Database | Conn, begin: datetime, end: datetime, site: str | None = None
) -> list[PlannedWork]:
    """Return works that touch a time, of a site with those of the network (None: of all), in order."""
    rows = await db.fetch(
        f"{_WORK} WHERE withdrawn_at IS NULL AND begins_at < $2 AND ends_at > $1"
        " AND ($3::text IS NULL OR site IN ('', $3)) ORDER BY begins_at, work_id",
        begin,
        end,
        site,
    )
    return [PlannedWork(**row) for row in rows]


async def withdraw_work(conn: Conn, work_id: UUID, at: datetime) -> bool:
    """Withdraw works that have not begun; return whether there were such."""
    status = await conn.execute(
        "UPDATE healthnet_planned_work SET withdrawn_at = $2 WHERE work_id = $1 AND withdrawn_at IS NULL"
        " AND begins_at > $2",
        work_id,
        at,
    )
    return str(status) == "UPDATE 1"
