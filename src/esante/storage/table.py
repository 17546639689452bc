"""How the rooms declare their tables: once, with the way each is spread over a cluster."""

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

    @property
    def insert_sql(self) -> str:
        """One statement that inserts many rows: each parameter is a column as an array."""
        arrays = ", ".join(f"${i}::{type_}[]" for i, type_ in enumerate(self.columns.values(), 1))
        insert = f"INSERT INTO {self.name} ({', '.join(self.columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608 - names are declared in code
        return f"{insert} ON CONFLICT DO NOTHING" if self.once else insert


Row = tuple[Table, tuple[Any, ...]]
"""A row to be inserted: its table, and its values in the order of `Table.columns`."""

TABLES: dict[str, Table] = {}
"""Every declared table by name."""
