"""Search of a person's resources (FHIR R4, search.html).

- `parameters(type)`: the search parameters of a resource type.
- `index(resource)`, `index_text(resource)`: the values that searches compare, for the column `index` of the table.
"""

from esante.fhir.search.indexing import index, index_text
from esante.fhir.search.model import Found, Outside, Query, Row, Scope
from esante.fhir.search.parameters import Parameter, parameters

__all__ = ["Found", "Outside", "Parameter", "Query", "Row", "Scope", "index", "index_text", "parameters"]
