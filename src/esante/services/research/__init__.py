"""Secondary use of health data: datasets, opt-outs, permits, and views of resources as rows (SQL on FHIR 2.0).

- `OptOuts.opted_out(conn, at)`: whose data are left out at a moment (Article 71).
- `Permits.permit_for(account, permit)`, `check_use(...)`: whether a use is permitted now (Articles 68 and 73).
- `load_datasets()`: every `Dataset` with its `DatasetTable`s; a permit covers columns of tables.
- `read_view(definition)`: a ViewDefinition, checked and compiled.
- `TableView.rows(resource)`, `TableView.columns`: the rows of a resource.
- `ViewFault`: what is wrong with a definition or with a resource under it, with its place.
"""

from esante.services.research.datasets.catalogue import load_datasets, tables_by_name
from esante.services.research.datasets.model import Dataset, DatasetTable, TableColumn
from esante.services.research.opt_out.model import OptedIn, OptedOut
from esante.services.research.opt_out.service import OptOuts
from esante.services.research.permits.model import (
    Permit,
    PermitExpired,
    PermitFault,
    PermitIssued,
    PermitKind,
    PermitWithdrawn,
)
from esante.services.research.permits.rules import check_use
from esante.services.research.permits.service import Permits
from esante.services.research.views.definition import read_view
from esante.services.research.views.model import Column, ViewFault
from esante.services.research.views.view import TableView

__all__ = [
    "Column",
    "Dataset",
    "DatasetTable",
    "OptOuts",
    "OptedIn",
    "OptedOut",
    "Permit",
    "PermitExpired",
    "PermitFault",
    "PermitIssued",
    "PermitKind",
    "PermitWithdrawn",
    "Permits",
    "TableColumn",
    "TableView",
    "ViewFault",
    "check_use",
    "load_datasets",
    "read_view",
    "tables_by_name",
]
