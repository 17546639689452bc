"""Search of a person's resources (FHIR R4, search.html).

- `parameters(type)`: the search parameters of a resource type.
- `index(resource)`, `index_text(resource)`: the values that searches compare, for the column `index` of the table.
- `parse(type, pairs)`: what is asked for by the parameters of an address.
- `run(db, query, scope)`: a page of what is found; `find(db, queries, scope)`: what each of many searches finds;
  `everything(db, scope, types)`: all of a person; `copies`, `gone`: all that changed, to be taken along.
- `subset(body, query)`: as much of a match as is wanted back.
- `supported(type)`: what a CapabilityStatement says.
"""

from esante.core.fhir.search.indexing.indexer import index, index_text
from esante.core.fhir.search.model import Found, Outside, Query, Row, Scope
from esante.core.fhir.search.parameters import Parameter, parameters
from esante.core.fhir.search.query.capability import Supported, supported
from esante.core.fhir.search.query.parser import parse
from esante.core.fhir.search.sql.batch import find
from esante.core.fhir.search.sql.bulk_read import Bounds, copies, gone
from esante.core.fhir.search.sql.everything import Place, everything
from esante.core.fhir.search.sql.execute import run
from esante.core.fhir.search.summary import subset

__all__ = [
    "Bounds",
    "Found",
    "Outside",
    "Parameter",
    "Place",
    "Query",
    "Row",
    "Scope",
    "Supported",
    "copies",
    "everything",
    "find",
    "gone",
    "index",
    "index_text",
    "parameters",
    "parse",
    "run",
    "subset",
    "supported",
]
