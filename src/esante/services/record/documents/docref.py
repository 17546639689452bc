"""DocumentReference/$docref of IPA 1.1: the documents of a patient, by type and time of service.

The operation finds existing documents; it generates none on demand. Source: IPA 1.1, OperationDefinition docref.
"""

from collections.abc import Iterator
from urllib.parse import urlencode

from starlette.requests import Request

from esante.core.fhir.rest import FORMAT_PARAMETERS, read_resource
from esante.core.types import Json
from esante.core.web import N_, bad_request
from esante.services.record.documents.content.validation import parse_resource

_MAX_BODY = 64 * 1024
"""Bytes of the Parameters resource."""


async def as_search(request: Request) -> Request:
    """Return the equivalent search request. Raises: `Problem` 400 for a parameter that the operation does not have."""
    pairs: list[tuple[str, str]] = []
    for name, value in await _parameters(request):
        match name:
            case "patient" | "type":
                pairs.append((name, value))
            case "start" | "end":
                pairs.append(("period", f"{'ge' if name == 'start' else 'le'}{value}"))
            case "on-demand" | "profile":
                # Nothing is made on demand, and no profile chosen: the search reports the parameter as ignored.
                if value != "false":
                    pairs.append((name, value))
            case _ if name not in FORMAT_PARAMETERS:
                raise bad_request(
                    name[:64],
                    N_("This search parameter is not supported."),
                    N_("Enter patient, type, start and end."),
                    code="not-supported",
                )
    path = request.scope["path"].removesuffix("/$docref")
    return Request({**request.scope, "query_string": urlencode(pairs).encode(), "path": path, "method": "GET"})


async def _parameters(request: Request) -> list[tuple[str, str]]:
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        resource = parse_resource(await read_resource(request, _MAX_BODY), "Parameters")
        parameters = resource.get("parameter", ())
        pairs += [(parameter["name"], value) for parameter in parameters for value in _values(parameter)]
    return pairs


def _values(parameter: Json) -> Iterator[str]:
    """Yield the values of a parameter in the syntax of a search."""
    for name, value in parameter.items():
        if name == "valueCodeableConcept":
            yield ",".join(
                f"{coding.get('system', '')}|{coding.get('code', '')}" for coding in value.get("coding", ())
            )
        elif name.startswith("value"):
            yield str(value).lower() if isinstance(value, bool) else str(value)
