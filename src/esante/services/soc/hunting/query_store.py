"""SQL of hunts over Parquet files and tables of events, for DuckDB and ClickHouse.

Names of columns and operators come from tables of the program; whatever a person entered is a parameter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from esante.services.soc.hunting.event_columns import joined
from esante.services.soc.hunting.model import HUNT_FIELDS, Condition, Hunt, Operator
from esante.services.soc.hunting.rules import networks_as_prefixes

TEXT_COLUMNS = ("message", "cmd_line", "process", "file", "host", "user_name", "src_ip", "dst_ip")
"""The columns that a free text is looked for in."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The functions of an engine, and how it writes its parameters."""

    starts: str
    ends: str
    contains: str
    has_any: str
    is_numbered: bool = False


DUCKDB = Dialect("starts_with", "ends_with", "contains", "list_has_any(string_split(observables, chr(10)), {})")
CLICKHOUSE = Dialect("startsWith", "endsWith", "position", "hasAny(splitByChar('\n', observables), {})", True)


class Parameters:
    """The values of a statement, each by the place holder that the engine knows."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect, self.values = dialect, list[Any]()

    def add(self, value: Any) -> str:
        """Keep a value; return its place holder."""
        self.values.append(value)
        if not self._dialect.is_numbered:
            return "?"
        return f"{{p{len(self.values)}:{_clickhouse_type(value)}}}"


def where(hunt: Hunt, dialect: Dialect = DUCKDB) -> tuple[str, list[Any]]:
    """Return the condition of a checked hunt, and its parameters."""
    given = Parameters(dialect)
    parts = [f"time >= {given.add(_plain(hunt.since))}", f"time < {given.add(_plain(hunt.until))}"]
    parts += [_condition(one, dialect, given) for one in hunt.conditions]
    if hunt.any_observable:
        parts.append(dialect.has_any.format(given.add([*hunt.any_observable])))
    if hunt.text:
        parts.append(_any_of(_call(dialect, "contains", name, given.add(hunt.text)) for name in TEXT_COLUMNS))
    return " AND ".join(parts), given.values


def count_statement(source: str, condition: str) -> str:
    """Return a statement that counts the matches by hour and file of a source of rows."""
    return (
        f"SELECT file_name, date_trunc('hour', time) AS hour, count(*) FROM {source}"  # noqa: S608 - see the module
        f" WHERE {condition} GROUP BY ALL"
    )


def rows_statement(source: str, condition: str) -> str:
    """Return a statement that reads the newest matches of a source of rows; its last parameter is their number."""
    return (
        f"SELECT event_id, time, event FROM {source} WHERE {condition}"  # noqa: S608 - see the module
        " ORDER BY time DESC, event_id DESC LIMIT ?"
    )


def values_conditions(hunt: Hunt) -> list[tuple[str, list[Any]]]:
    """Return conditions on the values of a file that must each hold for one of them, or it has no match."""
    found: list[tuple[str, list[Any]]] = []
    for one in hunt.conditions:
        function = _BY_VALUE.get(one.operator)
        if function and one.field in (*TEXT_COLUMNS, "observables"):
            found.append((function, [one.value]))
    if hunt.text:
        found.append((_BY_VALUE[Operator.CONTAINS], [hunt.text]))
    if hunt.any_observable:
        found.append(("value IN (SELECT unnest(?))", [[*hunt.any_observable]]))
    return found


def holders_statement(paths: Sequence[str], condition: str) -> str:
    """Return a statement that lists those files of values that have one that fulfils a condition."""
    listed = ", ".join(f"'{path}'" for path in paths)
    return f"SELECT DISTINCT filename FROM read_parquet([{listed}], filename = true) WHERE {condition}"  # noqa: S608


def files_source(paths: Sequence[str]) -> str:
    """Return files as a source of rows; their names come from the program."""
    listed = ", ".join(f"'{path}'" for path in paths)
    return f"(SELECT *, filename AS file_name FROM read_parquet([{listed}], filename = true))"  # noqa: S608


TABLE_SOURCE = "(SELECT *, '' AS file_name FROM hot)"
"""The rows of a registered table as a source."""
VALUES_COPY = (
    "COPY (SELECT DISTINCT value FROM (SELECT unnest(list_concat([message, cmd_line, process, file, host, user_name,"
    " src_ip, dst_ip],"
    " string_split(observables, chr(10)))) AS value FROM given) WHERE value <> '' ORDER BY value) TO '{path}'"
    " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440, USE_TMP_FILE false)"
)
"""Write the different values of the text columns and the observables: hunts skip files by them."""
_BY_VALUE = {
    Operator.EQUALS: "value = ?",
    Operator.CONTAINS: "contains(value, ?)",
    Operator.BEGINS: "starts_with(value, ?)",
    Operator.ENDS: "ends_with(value, ?)",
}
SORTED_COPY = (
    "COPY (SELECT * FROM given ORDER BY time, event_id) TO '{path}'"
    " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, ROW_GROUP_SIZE 61440, USE_TMP_FILE false)"
)
"""Write the rows of a source as a sorted file."""
CHECK = (
    "SELECT count(*), count(DISTINCT event_id), min(time), max(time),"
    " coalesce(sum(hash(epoch_ms(time), event_id, event)::HUGEINT), 0) FROM {source}"
)
"""Counts and a digest of rows that does not depend on their order."""


def _condition(one: Condition, dialect: Dialect, given: Parameters) -> str:
    column = one.field
    if column == "observables":
        return _call(dialect, "contains", column, given.add(joined([one.value])))
    value: Any = int(one.value) if HUNT_FIELDS[column].is_number else one.value
    match one.operator:
        case Operator.EQUALS:
            return f"{column} = {given.add(value)}"
        case Operator.DIFFERS:
            return f"{column} <> {given.add(value)}"
        case Operator.AT_LEAST:
            return f"{column} >= {given.add(value)}"
        case Operator.AT_MOST:
            return f"({column} <= {given.add(value)} AND {column} >= 0)"
        case Operator.BEGINS:
            return _call(dialect, "starts", column, given.add(value))
        case Operator.ENDS:
            return _call(dialect, "ends", column, given.add(value))
        case Operator.CONTAINS:
            return _call(dialect, "contains", column, given.add(value))
        case Operator.IN_NETWORK:
            prefixes, addresses = networks_as_prefixes(value)
            if addresses:
                return f"{column} IN ({', '.join(given.add(address) for address in addresses)})"
            if not prefixes:
                return f"(position(':' IN {column}) = 0 AND {column} <> '')"
            return _any_of(_call(dialect, "starts", column, given.add(prefix)) for prefix in prefixes)


def _call(dialect: Dialect, function: str, column: str, value: str) -> str:
    call = f"{getattr(dialect, function)}({column}, {value})"
    return f"{call} > 0" if dialect.is_numbered and function == "contains" else call


def _any_of(parts: Any) -> str:
    return f"({' OR '.join(parts)})"


def _plain(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None)


def _clickhouse_type(value: Any) -> str:
    if isinstance(value, datetime):
        return "DateTime64(3)"
    if isinstance(value, list):
        return "Array(String)"
    return "Int64" if isinstance(value, int) else "String"
