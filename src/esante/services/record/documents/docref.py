"""DocumentReference/$docref of IPA 1.1: the documents of a patient, by type and time of service.

It finds the documents that there are; it makes none on demand. Source: IPA 1.1, OperationDefinition docref.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from esante.core.fhir.rest import read_resource
from esante.core.web import N_, Problem
from esante.services.record.documents.mhd_parser import checked

_LIMIT = 64 * 1024
_UNUSED = ("on-demand", "profile", "_format")


async def as_search(request: Request) -> Request:
    """The operation as the search that it is; Problem 400 for a parameter that it does not have."""
    pairs: list[tuple[str, str]] = []
    for name, value in await _given(request):
        match name:
            case "patient" | "type":
                pairs.append((name, value))
            case "start" | "end":
                pairs.append(("period", f"{'ge' if name == 'start' else 'le'}{value}"))
            case _ if name not in _UNUSED:
                raise Problem(
                    400,
                    "not-supported",
                    N_("This search parameter is not supported."),
                    place=name[:64],
                    remedy=N_("Give patient, type, start and end."),
                )
    path = request.scope["path"].removesuffix("/$docref")
    return Request({**request.scope, "query_string": urlencode(pairs).encode(), "path": path, "method": "GET"})


async def _given(request: Request) -> list[tuple[str, str]]:
    found = list(request.query_params.multi_items())
    if request.method == "POST":
        parameters = checked(await read_resource(request, _LIMIT), "Parameters").get("parameter", ())
        found += [(parameter["name"], value) for parameter in parameters for value in _values(parameter)]
    return found


def _values(parameter: dict[str, Any]) -> Iterator[str]:
    """The value of a parameter as a search writes it."""
    for name, value in parameter.items():
        if name == "valueCodeableConcept":
            yield ",".join(f"{c.get('system', '')}|{c.get('code', '')}" for c in value.get("coding", ()))
        elif name.startswith("value"):
            yield str(value).lower() if isinstance(value, bool) else str(value)
