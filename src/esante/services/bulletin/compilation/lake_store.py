"""The SQL over the lake, run by DuckDB: indicators, record states and data quality of a month.

Each indicator has one statement over the month's events and the states of all records at its end. The statements keep
to what DuckDB, polars, Spark and Trino all read, so that the same text runs where the lake is too large for one
machine. Cell keys, largest contributions and contributors are only counted here; `disclosure.suppression` uses them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from esante.services.bulletin.compilation.exact_counts import ExactCount, exact_counts
from esante.services.bulletin.model import Aggregation, Indicator, Protection

MEMORY = "2GB"
"""The memory limit of DuckDB."""
KEY_RANGE = 4_294_967_296
"""The range of a unit's key: sums of keys stay within 64 bits on every engine."""

RECORD_STATES = """
SELECT subject, max(state) AS state, sum(documents) AS documents, max(account) > 0 AS account FROM (
    SELECT subject, CASE WHEN subject IN (SELECT subject FROM events WHERE type = 'access.state_changed')
        THEN NULL ELSE state END AS state, documents, CASE WHEN account THEN 1 ELSE 0 END AS account FROM before
    UNION ALL
    SELECT e.subject, e.kind AS state, 0 AS documents, 0 AS account FROM events e JOIN
        (SELECT subject, max(seq) AS seq FROM events WHERE type = 'access.state_changed' GROUP BY subject) l
        ON e.seq = l.seq WHERE e.type = 'access.state_changed'
    UNION ALL
    SELECT subject, NULL AS state, sum(CASE WHEN type = 'record.deposited' OR kind = 'in' THEN 1
        WHEN type = 'record.content_deleted' THEN -coalesce(amount, 0) ELSE -1 END)
        AS documents, 0 AS account FROM events
    WHERE type IN ('record.deposited', 'record.withdrawn', 'record.corrected', 'record.content_deleted') AND allowed
    GROUP BY subject
    UNION ALL
    SELECT DISTINCT actor AS subject, NULL AS state, 0 AS documents, 1 AS account FROM events
    WHERE type = 'access.signed_in' AND actor_kind = 'patient'
) moves GROUP BY subject ORDER BY subject
"""
"""The states of all records at the end of a month, from those of the month `before` and the month's events."""
NO_RECORD_STATES = (
    "SELECT CAST(NULL AS BIGINT) AS subject, CAST(NULL AS VARCHAR) AS state, CAST(NULL AS BIGINT) AS documents,"
    " CAST(NULL AS BOOLEAN) AS account WHERE false"
)
"""The record states before the first month: no rows."""
_DAILY_COUNTS = "SELECT type, day, count(*) FROM events GROUP BY type, day"
_DUPLICATES = """
SELECT type, sum(n) AS events, sum(n) - count(*) AS copies FROM (
    SELECT type, count(*) AS n FROM events WHERE subject IS NOT NULL AND subject % {every} = 0
    GROUP BY type, subject, actor, organization, category, kind, format, amount, date_trunc('minute', moment)
) t GROUP BY type
"""
_AHEAD_OF_SEAL = "SELECT count(*) FROM events WHERE moment > sealed + INTERVAL '5 minutes'"
_FILLED_COLUMNS = (
    "SELECT type, count(*), count(category), count(kind), count(format), count(allowed) FROM events GROUP BY type"
)


def indicator_statement(indicator: Indicator) -> str:
    """Return the statement of an indicator: the total and each breakdown of the rows that its `sql` selects."""
    parts = [_part(indicator, breakdown) for breakdown in ("", *indicator.breakdowns)]
    return f"WITH m AS ({indicator.sql})\n" + "\nUNION ALL\n".join(parts)


def _part(indicator: Indicator, breakdown: str) -> str:
    """Return the SELECT of one breakdown, or of the total for an empty one.

    Rows: (breakdown, value_of, value, cell_key, largest, contributors, amount).
    Raises: ValueError for an indicator without rows.
    """
    of = f"coalesce(\"{breakdown}\", 'unknown')" if breakdown else "''"
    head = f"SELECT '{breakdown}' AS breakdown, value_of"
    keyed = indicator.protection is Protection.PERTURB
    match indicator.measure:
        case Aggregation.ROWS if indicator.establishments:
            return (
                f"{head}, sum(n) AS value, 0 AS cell_key, max(CASE WHEN organization IS NULL THEN 0 ELSE n END)"
                " AS largest, count(DISTINCT organization) AS contributors, 0 AS amount FROM"
                f" (SELECT {of} AS value_of, organization, count(*) AS n FROM m GROUP BY 1, 2) b GROUP BY value_of"
            )
        case Aggregation.ROWS | Aggregation.UNITS:
            only = "DISTINCT " if indicator.measure is Aggregation.UNITS else ""
            key = f"sum(unit % {KEY_RANGE})" if keyed else "0"
            return (
                f"{head}, count(*) AS value, {key} AS cell_key, 0 AS largest, -1 AS contributors, 0 AS amount FROM"
                f" (SELECT {only}{of} AS value_of, unit FROM m) b GROUP BY value_of"
            )
        case Aggregation.SUM:
            return (
                f"{head}, sum(amount) AS value, 0 AS cell_key, 0 AS largest, -1 AS contributors,"
                f" count(*) AS amount FROM (SELECT {of} AS value_of, amount FROM m) b GROUP BY value_of"
            )
        case Aggregation.MEDIAN:
            return (
                f"{head}, count(*) AS value, 0 AS cell_key, 0 AS largest, -1 AS contributors, amount FROM"
                f" (SELECT {of} AS value_of, amount FROM m) b GROUP BY value_of, amount"
            )
        case _:
            raise ValueError(
                f"indicators.toml: {indicator.id} has the measure {indicator.measure}, which counts no rows"
            )


class LakeEngine:
    """DuckDB over the lake's files of one month."""

    def __init__(self, connection: Any) -> None:
        self._db = connection

    def open_month(self, files: Sequence[Path], subjects: Path | None) -> None:
        """Make the views `events` and `subjects` of a month: its files, and the record states at its end."""
        self._view("events", files)
        self._view("subjects", [subjects] if subjects else [])

    def open_events(self, files: Sequence[Path]) -> None:
        """Make the view `events` of a month only."""
        self._view("events", files)

    def write_record_states(self, before: Path | None, after: Path) -> None:
        """Write the record states at the end of the month of `events` to `after`, from those `before` it."""
        self._view("before", [before] if before else [])
        self._db.sql(RECORD_STATES).write_parquet(str(after), compression="zstd")

    def count(self, indicator: Indicator) -> list[ExactCount]:
        """Return the cells of an indicator in the open month, the total first."""
        return exact_counts(indicator, self.fetch_rows(indicator_statement(indicator)))

    def fetch_daily_counts(self) -> list[tuple[Any, ...]]:
        """Return (event type, day of the month, number of events)."""
        return self.fetch_rows(_DAILY_COUNTS)

    def fetch_duplicates(self, every: int) -> list[tuple[Any, ...]]:
        """Return (event type, events, copies) among every so-manyth person; copies are equal within a minute."""
        return self.fetch_rows(_DUPLICATES.format(every=every))

    def count_ahead_of_seal(self) -> int:
        """Return the number of events dated more than five minutes after their seal."""
        return int(self.fetch_rows(_AHEAD_OF_SEAL)[0][0])

    def fetch_filled_columns(self) -> list[tuple[Any, ...]]:
        """Return (event type, events, and how many have category, kind, format, allowed)."""
        return self.fetch_rows(_FILLED_COLUMNS)

    def fetch_rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement over `events` and `subjects`."""
        rows: list[tuple[Any, ...]] = self._db.execute(sql).fetchall()
        return rows

    def _view(self, name: str, files: Sequence[Path]) -> None:
        if files:
            listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
            source = f"SELECT * FROM read_parquet([{listed}])"
        else:
            source = NO_EVENTS if name == "events" else NO_RECORD_STATES
        self._db.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {source}")


_EMPTY: Mapping[str, str] = {
    "seq": "BIGINT",
    "moment": "TIMESTAMP",
    "sealed": "TIMESTAMP",
    "day": "TINYINT",
    "hour": "SMALLINT",
    "subject": "BIGINT",
    "actor": "BIGINT",
    "organization": "BIGINT",
    "allowed": "BOOLEAN",
    "amount": "BIGINT",
    "requests": "BIGINT",
    "errors": "BIGINT",
} | dict.fromkeys(
    ("type", "actor_kind", "role", "purpose", "reason", "grant_kind", "category", "kind", "format"), "VARCHAR"
)
NO_EVENTS = "SELECT " + ", ".join(f"CAST(NULL AS {t}) AS {c}" for c, t in _EMPTY.items()) + " WHERE false"


@contextmanager
def open_engine(scratch: Path, *, memory: str = MEMORY, threads: int | None = None) -> Iterator[LakeEngine]:
    """Open DuckDB in memory, with its temporary files in `scratch`."""
    import duckdb  # late, because it takes some ten MB that a server which builds no bulletin does not need

    scratch.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "memory_limit": memory,
        "temp_directory": str(scratch),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=config | ({"threads": threads} if threads else {}))
    try:
        yield LakeEngine(connection)
    finally:
        connection.close()
