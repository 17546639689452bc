"""Declarations of tables: each package declares its own once, with the way they are distributed over a cluster."""

import functools
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Where the rows of a table live when the database is distributed (Citus)."""

    PERSON = "person"
    """Distributed by `person_id`, which leads the key and every unique constraint."""
    REFERENCE = "reference"
    """Copied to every node: directory and rules."""
    LOCAL = "local"
    """On the coordinator only: sessions, cursors, the journal's tree."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table: its name, its kind, and its columns with their PostgreSQL types, in insert order.

    `once`: the first two columns are the key, and a row whose key is stored already is left out, since it is the
    same row.
    """

    name: str
    kind: Kind
    columns: dict[str, str]
    once: bool = False

    def __post_init__(self) -> None:
        TABLES[self.name] = self

    def insert_sql(self, first: int = 1) -> str:
        """Return a statement that inserts many rows; its parameters, from `$first` on, are the columns as arrays."""
        arrays = ", ".join(f"${i}::{type_}[]" for i, type_ in enumerate(self.columns.values(), first))
        insert = f"INSERT INTO {self.name} ({', '.join(self.columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - names are declared in code
        return f"{insert} ON CONFLICT DO NOTHING" if self.once else insert


@functools.lru_cache(256)
def insert_sql(tables: tuple[Table, ...]) -> str:
    """Return one statement that inserts into several tables, all or nothing, without a transaction around it."""
    parts, first = [], 1
    for table in tables:
        parts.append(table.insert_sql(first))
        first += len(table.columns)
    *others, last = parts
    return f"WITH {', '.join(f'w{i} AS ({part})' for i, part in enumerate(others))} {last}" if others else last


Row = tuple[Table, tuple[Any, ...]]
"""A row to be inserted: its table, and its values in the order of `Table.columns`."""

TABLES: dict[str, Table] = {}
"""Every declared table by name."""
