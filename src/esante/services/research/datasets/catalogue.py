"""Loads the datasets (`data/datasets.toml`) and the views of their tables (`data/views`)."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache

import orjson

from esante.core.dated_data import packaged_text
from esante.core.types import Json
from esante.services.research.datasets.model import PERSON, Dataset, DatasetTable, TableColumn
from esante.services.research.views.definition import read_view

_PACKAGE = "esante.services.research"


@cache
def load_datasets() -> Sequence[Dataset]:
    """Return the datasets. Raises: ValueError for a table whose columns are not those of its view."""
    return tuple(_dataset(one) for one in tomllib.loads(packaged_text(_PACKAGE, "datasets.toml"))["dataset"])


@cache
def tables_by_name() -> Mapping[str, DatasetTable]:
    """Return every table by its name (`dataset.table`)."""
    return {table.name: table for dataset in load_datasets() for table in dataset.tables}


def _dataset(part: Json) -> Dataset:
    tables = tuple(_table(part["name"], one) for one in part.pop("table"))
    return Dataset(**part, tables=tables)


def _table(dataset: str, part: Json) -> DatasetTable:
    name = f"{dataset}.{part['name']}"
    definition: Json = orjson.loads(packaged_text(_PACKAGE, f"views/{name}.json"))
    view, titles = read_view(definition), part["columns"]
    names = [one.name for one in view.columns]
    if names != list(titles) or PERSON in names:
        raise ValueError(f"datasets.toml: the columns of {name} are not those of its view: {names}")
    columns = tuple(TableColumn(one.name, one.type, titles[one.name]) for one in view.columns)
    return DatasetTable(name=name, titles=part["titles"], definition=definition, view=view, columns=columns)
