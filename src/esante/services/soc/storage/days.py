"""The partitions of events: one a day of receipt (UTC) for the events, and one for their blocks."""

from datetime import UTC, date, datetime, timedelta

from esante.core.storage import Connection, Database, uuid7_floor

TABLES = ("soc_event", "soc_event_block")
_LOCK = 0x50C_DA75
_WAIT = "5s"
"""How long a partition that is dropped waits for queries that read it."""


async def list_days(db: Database | Connection) -> list[date]:
    """Return the days that there are partitions for, the oldest first."""
    rows = await db.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'soc_event'::regclass ORDER BY c.relname"
    )
    return [date.fromisoformat(row["relname"].removeprefix("soc_event_").replace("_", "-")) for row in rows]


async def create_days(conn: Connection, first: date, last: date) -> None:
    """Create the partitions from one day to another where they are missing; in a transaction."""
    known = set(await list_days(conn))
    missing = [day for day in _days(first, last) if day not in known]
    if missing:
        await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)  # two processes create them in turn
    for day in missing:
        low, high = day_bounds(day)
        for table in TABLES:
            await conn.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_{day:%Y_%m_%d} PARTITION OF {table}"
                f" FOR VALUES FROM ('{low}') TO ('{high}')"
            )


async def drop_day(conn: Connection, day: date) -> None:
    """Drop the partitions of a day with all that is in them; in a transaction."""
    await conn.execute(f"SET LOCAL lock_timeout = '{_WAIT}'")
    await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    for table in TABLES:
        await conn.execute(f"DROP TABLE IF EXISTS {table}_{day:%Y_%m_%d}")


def day_bounds(day: date) -> tuple[str, str]:
    """Return the first key of a day, and that of the next."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return str(uuid7_floor(start)), str(uuid7_floor(start + timedelta(days=1)))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
