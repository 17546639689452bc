"""Secondary use of health data: views of resources as rows (SQL on FHIR 2.0).

- `read_view(definition)`: a ViewDefinition, checked and compiled.
- `TableView.rows(resource)`, `TableView.columns`: the rows of a resource.
- `ViewFault`: what is wrong with a definition or with a resource under it, with its place.
"""

from esante.services.research.views.definition import read_view
from esante.services.research.views.model import Column, ViewFault
from esante.services.research.views.view import TableView

__all__ = ["Column", "TableView", "ViewFault", "read_view"]
