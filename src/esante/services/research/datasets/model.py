"""Datasets, their tables, and the columns of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from esante.core.types import Json
from esante.services.research.views.view import TableView

PERSON = "person"
"""The column that every table begins with: the pseudonym of the person within a permit. It is always covered."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a table: `type` is a primitive type of FHIR, `titles` say by language what it holds."""

    name: str
    type: str
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetTable:
    """A table: rows that its ViewDefinition makes of resources of one type, each with `PERSON` before its columns.

    `name` is `dataset.table`, as permits name it. `columns`: those of the view.
    """

    name: str
    titles: Mapping[str, str]
    definition: Json
    view: TableView
    columns: Sequence[TableColumn]

    @property
    def resource(self) -> str:
        """The type of the resources that the rows are made of."""
        return self.view.resource

    @property
    def column_names(self) -> frozenset[str]:
        """The names of the columns, without `PERSON`."""
        return frozenset(one.name for one in self.columns)

    @property
    def sql_name(self) -> str:
        """The name of the table in statements."""
        return self.name.replace(".", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset; `titles` and `descriptions` by language, `article`: the category of Article 51(1)."""

    name: str
    titles: Mapping[str, str]
    descriptions: Mapping[str, str]
    article: str
    valid_from: date
    legal_source: str
    verified: bool
    tables: Sequence[DatasetTable]
