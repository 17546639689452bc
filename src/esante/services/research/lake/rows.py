"""The rows of an extraction: views over the resources of persons, with their pseudonyms.

Views that have SQL are run by DuckDB; the others, and resources on which a statement fails, by the reference engine.
Import this late: its libraries take some ten MB, which a server without extractions does not need.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa

from esante.core.fhir import NotJson, decode
from esante.services.research.datasets.catalogue import tables_by_name
from esante.services.research.datasets.model import PERSON, DatasetTable
from esante.services.research.lake.pseudonyms import Pseudonyms
from esante.services.research.views.model import ViewFault
from esante.services.research.views_sql.expressions import NotCompiled
from esante.services.research.views_sql.statement import ViewStatement, compile_view

log = logging.getLogger(__name__)
Body = tuple[str, bytes]
"""The pseudonym of a person, and a resource of theirs."""
_TYPES: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "positiveInt": pa.int64(),
    "unsignedInt": pa.int64(),
    "decimal": pa.float64(),
}


def rows_of(
    tables: Sequence[DatasetTable],
    covered: Mapping[str, frozenset[str]],
    resources: Iterable[tuple[UUID, str, bytes]],
    pseudonyms: Pseudonyms,
) -> dict[str, pa.Table]:
    """Return the rows of tables over resources (person, type, body): the columns covered, after the pseudonym.

    A resource that fails under a view gives no rows of it: one odd resource must not end the extraction of a country.
    Rows are sorted by all columns, so that their order tells nothing of the order of keys.
    """
    by_type: dict[str, list[Body]] = {table.resource: [] for table in tables}
    for person_id, type_, body in resources:
        if type_ in by_type:
            by_type[type_].append((pseudonyms.of(person_id), body))
    found = {}
    for table in tables:
        rows = table_rows(table, covered[table.name], by_type[table.resource])
        found[table.name] = rows.sort_by([(name, "ascending") for name in rows.column_names])
    return found


def table_rows(table: DatasetTable, covered: Collection[str], bodies: Sequence[Body]) -> pa.Table:
    """Return the rows of a table over resources of its type, in any order."""
    schema, statement = covered_schema(table, covered), _statement(table.name)
    if statement is not None:
        try:
            return _by_statement(statement, schema, bodies)
        except (duckdb.Error, pa.ArrowException):
            log.warning("the statement of %s failed on a batch; the reference engine does it", table.name)
    return rows_by_reference(table, covered, bodies)


def rows_by_reference(table: DatasetTable, covered: Collection[str], bodies: Sequence[Body]) -> pa.Table:
    """Return what `table_rows` returns, by the reference engine."""
    schema, rows = covered_schema(table, covered), list[dict[str, Any]]()
    for person, body in bodies:
        try:
            rows += [{PERSON: person} | row for row in table.view.rows(decode(body))]
        except (NotJson, ViewFault):
            continue
    columns = [pa.array([_fitting(row[field.name], field.type) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def covered_schema(table: DatasetTable, covered: Collection[str]) -> pa.Schema:
    """Return the schema of the columns of a table that a permit covers, after the pseudonym."""
    fields = [(one.name, _TYPES.get(one.type, pa.string())) for one in table.columns if one.name in covered]
    return pa.schema([(PERSON, pa.string()), *fields])


@cache
def _statement(name: str) -> ViewStatement | None:
    try:
        return compile_view(tables_by_name()[name].view)
    except NotCompiled:
        return None


def _by_statement(statement: ViewStatement, schema: pa.Schema, bodies: Sequence[Body]) -> pa.Table:
    columns = [pa.array([one[place] for one in bodies], pa.string()) for place in (0, 1)]
    given = pa.Table.from_arrays(columns, names=[PERSON, "body"])
    names = ", ".join(f'"{name}"' for name in schema.names)
    with duckdb.connect(config={"threads": 2}) as conn:
        conn.register("given", given)
        found = conn.sql(f"SELECT {names} FROM ({statement.over('given', [PERSON])})")  # noqa: S608 - of definitions
        rows: pa.Table = found.to_arrow_table()
        return rows.cast(schema)


def _fitting(value: Any, type_: pa.DataType) -> Any:
    """Return a value as a column of a type holds it, None for what does not fit."""
    if value is None or pa.types.is_string(type_):
        return value if value is None or isinstance(value, str) else str(value)
    if pa.types.is_boolean(type_):
        return value if isinstance(value, bool) else None
    if isinstance(value, bool | str | list):
        return None
    try:
        return int(value) if pa.types.is_integer(type_) else float(value)
    except (ValueError, OverflowError):
        return None
