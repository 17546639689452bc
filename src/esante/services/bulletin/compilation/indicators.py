"""Counts a month: one SQL statement for each indicator, over the month's events and the state of all records.

The statements keep to what DuckDB, polars, Spark and Trino all read, so that the same text runs where the lake
is too large for one machine. What is said here of noise and dominance is only counted here, and used in
`protection`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from esante.services.bulletin.model import Indicator, Measure, Protection

MEMORY = "2GB"
KEY_RANGE = 4_294_967_296
"""A unit's part in the key of a cell: sums of it stay within 64 bits on every engine."""

SUBJECTS = """
SELECT subject, max(state) AS state, sum(documents) AS documents, max(account) > 0 AS account FROM (
    SELECT subject, CASE WHEN subject IN (SELECT subject FROM events WHERE type = 'access.state_changed')
        THEN NULL ELSE state END AS state, documents, CASE WHEN account THEN 1 ELSE 0 END AS account FROM before
    UNION ALL
    SELECT e.subject, e.kind AS state, 0 AS documents, 0 AS account FROM events e JOIN
        (SELECT subject, max(seq) AS seq FROM events WHERE type = 'access.state_changed' GROUP BY subject) l
        ON e.seq = l.seq WHERE e.type = 'access.state_changed'
    UNION ALL
    SELECT subject, NULL AS state, sum(CASE WHEN type = 'record.deposited' OR kind = 'in' THEN 1 ELSE -1 END)
        AS documents, 0 AS account FROM events
    WHERE type IN ('record.deposited', 'record.withdrawn', 'record.corrected') AND allowed GROUP BY subject
    UNION ALL
    SELECT DISTINCT actor AS subject, NULL AS state, 0 AS documents, 1 AS account FROM events
    WHERE type = 'access.signed_in' AND actor_kind = 'patient'
) moves GROUP BY subject ORDER BY subject
"""
"""The state of all records at the end of a month, from the one `before` it and the month's events."""
NOBODY = (
    "SELECT CAST(NULL AS BIGINT) AS subject, CAST(NULL AS VARCHAR) AS state, CAST(NULL AS BIGINT) AS documents,"
    " CAST(NULL AS BOOLEAN) AS account WHERE false"
)
"""The state of records before there were any."""


class Count(NamedTuple):
    """A cell before its protection.

    `key` is the sum of the units' parts (0 where there is no noise); `largest` the largest part of one
    establishment, and `contributors` how many have one (-1: the indicator tells of none).
    """

    breakdown: str
    value_of: str
    value: int | None
    key: int = 0
    largest: int = 0
    contributors: int = -1
    rows: int = 0
    """How many rows a median or a sum is of."""


def statement(indicator: Indicator) -> str:
    """The whole statement of an indicator: its own line, and over it the total and each breakdown."""
    parts = [_part(indicator, breakdown) for breakdown in ("", *indicator.breakdowns)]
    return f"WITH m AS ({indicator.sql})\n" + "\nUNION ALL\n".join(parts)


def _part(indicator: Indicator, breakdown: str) -> str:
    """Rows (breakdown, value_of, value, key, largest, contributors, amount) of one breakdown or the total."""
    of = f"coalesce(\"{breakdown}\", 'unknown')" if breakdown else "''"
    head = f"SELECT '{breakdown}' AS breakdown, value_of"
    keyed = indicator.protection is Protection.PERTURB
    match indicator.measure:
        case Measure.ROWS if indicator.establishments:
            return (
                f"{head}, sum(n) AS value, 0 AS cell_key, max(CASE WHEN organization IS NULL THEN 0 ELSE n END)"
                " AS largest, count(DISTINCT organization) AS contributors, 0 AS amount FROM"
                f" (SELECT {of} AS value_of, organization, count(*) AS n FROM m GROUP BY 1, 2) b GROUP BY value_of"
            )
        case Measure.ROWS | Measure.UNITS:
            only = "DISTINCT " if indicator.measure is Measure.UNITS else ""
            key = f"sum(unit % {KEY_RANGE})" if keyed else "0"
            return (
                f"{head}, count(*) AS value, {key} AS cell_key, 0 AS largest, -1 AS contributors, 0 AS amount FROM"
                f" (SELECT {only}{of} AS value_of, unit FROM m) b GROUP BY value_of"
            )
        case Measure.SUM:
            return (
                f"{head}, sum(amount) AS value, 0 AS cell_key, 0 AS largest, -1 AS contributors,"
                f" count(*) AS amount FROM (SELECT {of} AS value_of, amount FROM m) b GROUP BY value_of"
            )
        case Measure.MEDIAN:
            return (
                f"{head}, count(*) AS value, 0 AS cell_key, 0 AS largest, -1 AS contributors, amount FROM"
                f" (SELECT {of} AS value_of, amount FROM m) b GROUP BY value_of, amount"
            )
        case _:
            raise ValueError(f"{indicator.id} is not counted from rows")


def counts(indicator: Indicator, rows: Iterable[Sequence[Any]]) -> list[Count]:
    """The cells that the rows of an indicator's statement say, the total first; a total is there even when 0."""
    if indicator.measure is Measure.MEDIAN:
        found = _medians(rows)
    elif indicator.measure is Measure.SUM:
        found = [Count(row[0], row[1], int(row[2] or 0), rows=int(row[6])) for row in rows]
    else:
        found = [Count(b, of, int(n), int(key), int(top), int(who), int(n)) for b, of, n, key, top, who, _ in rows]
    if not any(count.breakdown == "" for count in found):
        found.append(Count("", "", None if indicator.measure is Measure.MEDIAN else 0))
    order = {breakdown: place for place, breakdown in enumerate(("", *indicator.breakdowns))}
    return sorted(found, key=lambda count: (order[count.breakdown], count.value_of))


def _medians(rows: Iterable[Sequence[Any]]) -> list[Count]:
    """The lower median of each cell from how often each amount comes."""
    cells: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for breakdown, value_of, often, _, _, _, amount in rows:
        cells.setdefault((breakdown, value_of), []).append((int(amount), int(often)))
    found = []
    for (breakdown, value_of), amounts in cells.items():
        total, passed = sum(often for _, often in amounts), 0
        for amount, often in sorted(amounts):
            passed += often
            if passed * 2 >= total:
                found.append(Count(breakdown, value_of, amount, rows=total))
                break
    return found


class Engine:
    """DuckDB over the files of a month."""

    def __init__(self, connection: Any) -> None:
        self._db = connection

    def month(self, files: Sequence[Path], subjects: Path | None) -> None:
        """Look at a month: the files of its events, and the state of records at its end."""
        self._view("events", files)
        self._view("subjects", [subjects] if subjects else [])

    def events(self, files: Sequence[Path]) -> None:
        """Look at the events of a month alone."""
        self._view("events", files)

    def fold(self, before: Path | None, after: Path) -> None:
        """Write the state of records at the end of the month of `events` from the one before it."""
        self._view("before", [before] if before else [])
        self._db.sql(SUBJECTS).write_parquet(str(after), compression="zstd")

    def count(self, indicator: Indicator) -> list[Count]:
        """The cells of an indicator in the month looked at."""
        return counts(indicator, self.rows(statement(indicator)))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a statement over `events` and `subjects`."""
        rows: list[tuple[Any, ...]] = self._db.execute(sql).fetchall()
        return rows

    def _view(self, name: str, files: Sequence[Path]) -> None:
        if files:
            listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
            source = f"SELECT * FROM read_parquet([{listed}])"
        else:
            source = NO_EVENTS if name == "events" else NOBODY
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
def engine(scratch: Path, *, memory: str = MEMORY, threads: int | None = None) -> Iterator[Engine]:
    """DuckDB in memory; what does not fit is spilled into `scratch`."""
    import duckdb  # some ten MB that a server which makes no figures need not hold

    scratch.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "memory_limit": memory,
        "temp_directory": str(scratch),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(":memory:", config=config | ({"threads": threads} if threads else {}))
    try:
        yield Engine(connection)
    finally:
        connection.close()
