"""SQL of indicators, feeds and matches."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.storage import Connection, Database, Kind, Table, uuid7
from esante.services.soc.intelligence.model import FeedState, Indicator, IndicatorFilter, KeptIndicator, Tlp
from esante.services.soc.intelligence.observables import ObservableKind

INDICATOR = Table(
    "soc_indicator",
    Kind.LOCAL,
    {
        "indicator_id": "uuid",
        "feed": "text",
        "reference": "text",
        "kind": "text",
        "value": "text",
        "tlp": "text",
        "confidence": "smallint",
        "valid_from": "timestamptz",
        "valid_until": "timestamptz",
        "title": "text",
        "revoked": "boolean",
        "added_at": "timestamptz",
        "changed_at": "timestamptz",
    },
)
FEED_STATE = Table(
    "soc_feed_state",
    Kind.LOCAL,
    {
        "feed": "text",
        "read_at": "timestamptz",
        "tried_at": "timestamptz",
        "marker": "text",
        "failure": "text",
        "skipped": "jsonb",
    },
)
MATCH = Table(
    "soc_indicator_match",
    Kind.LOCAL,
    {
        "tenant_id": "uuid",
        "indicator_id": "uuid",
        "event_id": "text",
        "day": "date",
        "at": "timestamptz",
        "observed": "text",
    },
)
DAY = Table(
    "soc_indicator_day",
    Kind.LOCAL,
    {"indicator_id": "uuid", "day": "date", "kept": "integer", "dropped": "bigint", "alerts": "integer"},
)
PAST_SEARCH = Table("soc_past_search", Kind.LOCAL, {"is_only": "boolean", "until": "timestamptz"})
_INDICATOR = (
    "SELECT indicator_id, feed, reference, kind, value, tlp, confidence, valid_from, valid_until, title, revoked,"
    " added_at FROM soc_indicator"
)


async def upsert(conn: Connection, feed: str, indicators: Sequence[Indicator]) -> tuple[int, int]:
    """Keep indicators of a feed; return how many are new and how many changed."""
    known = {(one.reference, one.kind, one.value): one for one in indicators}
    added = changed = 0
    values = [*known.values()]
    for start in range(0, len(values), 2_000):
        part = values[start : start + 2_000]
        rows = await conn.fetch(
            "INSERT INTO soc_indicator AS old SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[],"
            " $5::text[], $6::text[], $7::smallint[], $8::timestamptz[], $9::timestamptz[], $10::text[],"
            " $11::boolean[], $12::timestamptz[], $13::timestamptz[])"
            " ON CONFLICT (feed, reference, kind, value) DO UPDATE SET tlp = excluded.tlp,"
            " confidence = excluded.confidence, valid_from = excluded.valid_from, valid_until = excluded.valid_until,"
            " title = excluded.title, revoked = excluded.revoked, changed_at = excluded.changed_at"
            " WHERE (old.tlp, old.confidence, old.valid_from, old.title, old.revoked) IS DISTINCT FROM"
            " (excluded.tlp, excluded.confidence, excluded.valid_from, excluded.title, excluded.revoked)"
            " OR old.valid_until IS DISTINCT FROM excluded.valid_until"
            " RETURNING added_at = changed_at AS is_new",
            *_columns(feed, part),
        )
        added += sum(row["is_new"] for row in rows)
        changed += sum(not row["is_new"] for row in rows)
    return added, changed


def _columns(feed: str, indicators: Sequence[Indicator]) -> list[list[Any]]:
    now = clock.now()
    rows = [
        (
            uuid7(),
            feed,
            one.reference,
            one.kind.value,
            one.value,
            one.tlp.value,
            one.confidence,
            one.valid_from,
            one.valid_until,
            one.title,
            one.revoked,
            now,
            now,
        )
        for one in indicators
    ]
    return [list(column) for column in zip(*rows, strict=True)]


async def fetch_changed(
    db: Database, after: tuple[datetime, UUID] | None, limit: int
) -> tuple[list[KeptIndicator], tuple[datetime, UUID] | None]:
    """Return indicators in the order of their changes, and where the next ones begin."""
    rows = await db.fetch(
        _INDICATOR.replace("added_at FROM", "added_at, changed_at FROM")
        + " WHERE $1::timestamptz IS NULL OR (changed_at, indicator_id) > ($1, $2)"
        " ORDER BY changed_at, indicator_id LIMIT $3",
        *(after or (None, None)),
        limit,
    )
    found = [_indicator(row) for row in rows]
    return found, (rows[-1]["changed_at"], rows[-1]["indicator_id"]) if rows else after


async def fetch_added(db: Database, after: datetime, until: datetime) -> list[KeptIndicator]:
    """Return the indicators in force that were added in a span."""
    rows = await db.fetch(
        f"{_INDICATOR} WHERE added_at > $1 AND added_at <= $2 AND NOT revoked"
        " AND (valid_until IS NULL OR valid_until > $2) ORDER BY added_at, indicator_id",
        after,
        until,
    )
    return [_indicator(row) for row in rows]


async def fetch_page(db: Database, wanted: IndicatorFilter, before: UUID | None, limit: int) -> list[KeptIndicator]:
    """Return indicators, the newest first."""
    rows = await db.fetch(
        f"{_INDICATOR} WHERE ($1 = '' OR position(lower($1) IN lower(value || ' ' || title)) > 0)"
        " AND ($2::text IS NULL OR kind = $2) AND ($3 = '' OR feed = $3)"
        " AND ($4::uuid IS NULL OR indicator_id < $4) ORDER BY indicator_id DESC LIMIT $5",
        wanted.text,
        wanted.kind,
        wanted.feed,
        before,
        limit,
    )
    return [_indicator(row) for row in rows]


async def fetch_states(db: Database) -> dict[str, FeedState]:
    """Return how the last readings went, by feed."""
    rows = await db.fetch(
        "SELECT s.feed, s.read_at, s.tried_at, s.marker, s.failure, s.skipped, (SELECT count(*) FROM soc_indicator i"
        " WHERE i.feed = s.feed AND NOT i.revoked AND (i.valid_until IS NULL OR i.valid_until > now())) AS indicators"
        " FROM soc_feed_state s ORDER BY s.feed"
    )
    return {row["feed"]: FeedState(**{**row, "skipped": orjson.loads(row["skipped"])}) for row in rows}


async def lock_feed(conn: Connection, feed: str) -> bool:
    """Return whether this transaction is the only one that reads a feed."""
    return bool(await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('soc_feed' || $1, 0))", feed))


async def keep_state(
    conn: Connection | Database, feed: str, marker: str | None, failure: str, skipped: dict[str, int]
) -> None:
    """Keep how a reading went; `marker` None: it failed, and what was known before stays."""
    now = clock.now()
    await conn.fetch(
        "INSERT INTO soc_feed_state AS old (feed, read_at, tried_at, marker, failure, skipped)"
        " VALUES ($1, CASE WHEN $3::text IS NULL THEN NULL ELSE $2::timestamptz END, $2, coalesce($3, ''), $4, $5)"
        " ON CONFLICT (feed) DO UPDATE SET read_at = coalesce(excluded.read_at, old.read_at), tried_at = $2,"
        " marker = coalesce($3, old.marker), failure = $4,"
        " skipped = CASE WHEN $3::text IS NULL THEN old.skipped ELSE excluded.skipped END",
        feed,
        now,
        marker,
        failure,
        orjson.dumps(skipped).decode(),
    )


async def lock_days(conn: Connection, indicators: Sequence[UUID], day: date) -> dict[UUID, tuple[int, int]]:
    """Return matches and alerts that are kept of indicators and a day; whoever asks next waits."""
    ids = sorted(set(indicators))
    await conn.execute(
        "INSERT INTO soc_indicator_day SELECT id, $2, 0, 0, 0 FROM unnest($1::uuid[]) id ON CONFLICT DO NOTHING",
        ids,
        day,
    )
    rows = await conn.fetch(
        "SELECT indicator_id, kept, alerts FROM soc_indicator_day WHERE indicator_id = ANY($1) AND day = $2"
        " ORDER BY indicator_id FOR UPDATE",
        ids,
        day,
    )
    return {row["indicator_id"]: (row["kept"], row["alerts"]) for row in rows}


async def fetch_known(
    conn: Connection, tenant_id: UUID, indicators: Sequence[UUID], events: Sequence[str]
) -> set[tuple[UUID, str]]:
    """Return those pairs of indicator and event of a member that are kept already."""
    rows = await conn.fetch(
        "SELECT indicator_id, event_id FROM soc_indicator_match WHERE tenant_id = $1 AND indicator_id = ANY($2)"
        " AND event_id = ANY($3)",
        tenant_id,
        [*indicators],
        [*events],
    )
    return {(row["indicator_id"], row["event_id"]) for row in rows}


async def add_to_day(conn: Connection, indicator_id: UUID, day: date, kept: int, dropped: int, alerts: int) -> None:
    """Count matches of an indicator and a day."""
    await conn.execute(
        "UPDATE soc_indicator_day SET kept = kept + $3, dropped = dropped + $4, alerts = alerts + $5"
        " WHERE indicator_id = $1 AND day = $2",
        indicator_id,
        day,
        kept,
        dropped,
        alerts,
    )


async def fetch_days(db: Database, since: date) -> list[tuple[date, int, int]]:
    """Return kept and dropped matches by day."""
    rows = await db.fetch(
        "SELECT day, sum(kept)::bigint AS kept, sum(dropped)::bigint AS dropped FROM soc_indicator_day"
        " WHERE day >= $1 GROUP BY day ORDER BY day",
        since,
    )
    return [(row["day"], row["kept"], row["dropped"]) for row in rows]


async def fetch_busiest(db: Database, since: date, limit: int) -> list[tuple[KeptIndicator, int, int]]:
    """Return the indicators with matches since a day, kept and dropped, those with most first."""
    rows = await db.fetch(
        "SELECT i.*, d.kept, d.dropped"  # noqa: S608 - a constant
        f" FROM ({_INDICATOR}) i JOIN (SELECT indicator_id, sum(kept)::bigint AS kept,"
        " sum(dropped)::bigint AS dropped FROM soc_indicator_day WHERE day >= $1 GROUP BY indicator_id"
        " HAVING sum(kept) > 0) d USING (indicator_id) ORDER BY d.kept + d.dropped DESC, i.indicator_id LIMIT $2",
        since,
        limit,
    )
    return [(_indicator(row), row["kept"], row["dropped"]) for row in rows]


async def lock_past_search(conn: Connection) -> datetime | None:
    """Return until when added indicators were looked for in the past, None before the first time; others skip it."""
    if not await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('soc_past_search', 0))"):
        return datetime.max.replace(tzinfo=clock.now().tzinfo)
    found: datetime | None = await conn.fetchval("SELECT until FROM soc_past_search")
    return found


async def keep_past_search(conn: Connection, until: datetime) -> None:
    """Keep until when added indicators were looked for in the past."""
    await conn.execute(
        "INSERT INTO soc_past_search (until) VALUES ($1) ON CONFLICT (is_only) DO UPDATE SET until = $1", until
    )


async def delete_of_tenant(conn: Connection, tenant_id: UUID) -> None:
    """Delete the matches of a member."""
    await conn.execute("DELETE FROM soc_indicator_match WHERE tenant_id = $1", tenant_id)


async def delete_before(db: Database, day: date) -> None:
    """Delete matches and counts of days before one."""
    await db.fetch("DELETE FROM soc_indicator_match WHERE day < $1", day)
    await db.fetch("DELETE FROM soc_indicator_day WHERE day < $1", day)


def _indicator(row: Any) -> KeptIndicator:
    return KeptIndicator(
        indicator_id=row["indicator_id"],
        feed=row["feed"],
        reference=row["reference"],
        kind=ObservableKind(row["kind"]),
        value=row["value"],
        tlp=Tlp(row["tlp"]),
        confidence=row["confidence"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        title=row["title"],
        revoked=row["revoked"],
        added_at=row["added_at"],
    )
