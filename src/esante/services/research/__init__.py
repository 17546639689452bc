"""Secondary use of health data: views of resources as rows (SQL on FHIR 2.0), datasets that are made with them.

- `read_view(definition)`: a ViewDefinition, checked and compiled.
- `TableView.rows(resource)`, `TableView.columns`: the rows of a resource.
- `ViewFault`: what is wrong with a definition or with a resource under it, with its place.
- `load_datasets()`: every `Dataset` with its `DatasetTable`s; a permit covers columns of tables.
"""

from esante.services.research.datasets.catalogue import load_datasets, tables_by_name
from esante.services.research.datasets.model import Dataset, DatasetTable, TableColumn
from esante.services.research.views.definition import read_view
from esante.services.research.views.model import Column, ViewFault
from esante.services.research.views.view import TableView

__all__ = [
    "Column",
    "Dataset",
    "DatasetTable",
    "TableColumn",
    "TableView",
    "ViewFault",
    "load_datasets",
    "read_view",
    "tables_by_name",
]
