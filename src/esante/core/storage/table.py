"""How the rooms declare their tables: once, with the way each is spread over a cluster."""

import functools
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Where the rows of a table live when the database is distributed (Citus)."""

    PERSON = "person"
    """Spread by `person_id`, which leads the key and every unique constraint."""
    REFERENCE = "reference"
    """A copy on every node: directory and rules."""
    LOCAL = "local"
    """On the coordinator alone: sessions, cursors, the journal's tree."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table: its name, its kind, and its columns with their PostgreSQL types, in insert order.

    `once`: its key are the first two columns, and a row whose key is there already says nothing new and is left out.
    """

    name: str
    kind: Kind
    columns: dict[str, str]
    once: bool = False

    def __post_init__(self) -> None:
        TABLES[self.name] = self

    def insert_sql(self, first: int = 1) -> str:
        """One statement that inserts many rows: each parameter, from `$first` on, is a column as an array."""
        arrays = ", ".join(f"${i}::{type_}[]" for i, type_ in enumerate(self.columns.values(), first))
        insert = f"INSERT INTO {self.name} ({', '.join(self.columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - names are declared in code
        return f"{insert} ON CONFLICT DO NOTHING" if self.once else insert


@functools.lru_cache(256)
def insert_sql(tables: tuple[Table, ...]) -> str:
    """One statement that inserts into several tables, all or nothing: no transaction has to be begun for it."""
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
