"""Search of a person's resources (FHIR R4, search.html).

Parameters:

- `parameters_of(type)`: the search parameters of a resource type, by code.
- `supported_parameters(type)`: the same as a CapabilityStatement states them.

Index:

- `index_resource(resource)`, `index_json(resource)`: the values that searches compare, for the column `index`.

Queries:

- `parse_query(type, pairs)`: the search that the parameters of an address ask for (`RESULT_PARAMETERS`: those that are
  not about what is searched, but about what is returned of it).
- `execute_query(db, query, scope)`: a page of its matches.
- `select_elements(body, query)`, `select_part(resource, query)`: the part of a resource that the query asks for.
- `find_matches(db, queries, scope, limit)`: the keys that each of many searches matches.
- `fetch_everything(db, scope, types)`: all resources of a person, page by page.
- `fetch_changed`, `find_removed`: what changed, and what is gone, since a moment.

Dates: `parse_search_date`, `approximate_range`, `to_microseconds`, `from_microseconds`.
"""

from esante.core.fhir.search.indexing.dates import (
    approximate_range,
    from_microseconds,
    parse_search_date,
    to_microseconds,
)
from esante.core.fhir.search.indexing.indexer import index_json, index_resource
from esante.core.fhir.search.model import (
    DEFAULT_COUNT,
    MAX_COUNT,
    Chain,
    Condition,
    ExternalSearch,
    Has,
    ResourceKey,
    ResourceRow,
    SearchPage,
    SearchQuery,
    SearchScope,
)
from esante.core.fhir.search.parameters import Parameter, parameters_of
from esante.core.fhir.search.query.capability import SupportedParameter, supported_parameters
from esante.core.fhir.search.query.parser import parse_query
from esante.core.fhir.search.query.result_parameters import RESULT_PARAMETERS
from esante.core.fhir.search.sql.batch import find_matches
from esante.core.fhir.search.sql.bulk_read import PageLimits, fetch_changed, find_removed
from esante.core.fhir.search.sql.everything import fetch_everything
from esante.core.fhir.search.sql.execute import execute_query
from esante.core.fhir.search.summary import SUBSETTED, select_elements, select_part

__all__ = [
    "DEFAULT_COUNT",
    "MAX_COUNT",
    "RESULT_PARAMETERS",
    "SUBSETTED",
    "Chain",
    "Condition",
    "ExternalSearch",
    "Has",
    "PageLimits",
    "Parameter",
    "ResourceKey",
    "ResourceRow",
    "SearchPage",
    "SearchQuery",
    "SearchScope",
    "SupportedParameter",
    "approximate_range",
    "execute_query",
    "fetch_changed",
    "fetch_everything",
    "find_matches",
    "find_removed",
    "from_microseconds",
    "index_json",
    "index_resource",
    "parameters_of",
    "parse_query",
    "parse_search_date",
    "select_elements",
    "select_part",
    "supported_parameters",
    "to_microseconds",
]
