"""The parameters that R4 defines for all interactions, and the refusal of those that an interaction does not obey.

Source: FHIR R4, http.html, "general parameters", "summary", "elements"; search.html, "handling errors".
"""

from collections.abc import Collection

from starlette.requests import Request

from esante.core.fhir.rest.preconditions import handling_preference
from esante.core.fhir.search import SearchQuery, parse_query
from esante.core.web import N_, bad_request

FORMAT_PARAMETERS = frozenset({"_format", "_pretty"})
"""The parameters that every interaction obeys."""
PART_PARAMETERS = frozenset({"_summary", "_elements"})
"""The parameters that ask for a part of a resource."""


def require_known_parameters(request: Request, known: Collection[str] = ()) -> None:
    """Raise Problem 400 for a parameter that the interaction does not obey, unless Prefer asks for lenient handling.

    A search tells in its response what it ignored; where the response has no place for that, nothing is ignored unless
    the client says so.
    """
    if not request.scope["query_string"]:
        return
    unknown = next(
        (name for name in request.query_params if name not in known and name not in FORMAT_PARAMETERS), None
    )
    if unknown is not None and handling_preference(request.headers) != "lenient":
        title, remedy = N_("This parameter is not supported here."), N_("Send the request without it.")
        raise bad_request(unknown[:64], title, remedy, code="not-supported")


def part_of(request: Request, type_: str) -> SearchQuery | None:
    """Return the query for the part of a resource that a read asks for (`_summary`, `_elements`); None for all of it.

    Raises: Problem 400 for a value that a read cannot have.
    """
    if b"_summary" not in request.scope["query_string"] and b"_elements" not in request.scope["query_string"]:
        return None
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] in PART_PARAMETERS]
    return require_part(parse_query(type_, pairs, strict=handling_preference(request.headers) != "lenient"))


def require_part(query: SearchQuery) -> SearchQuery:
    """Return a query. Raises: Problem 400 when it asks for the number of matches, which only a search has."""
    if query.summary == "count":
        raise bad_request("_summary", N_("This value is not supported."), N_("Count with a search."))
    return query
