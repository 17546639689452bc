"""Resources and searchset Bundles as responses.

Source: FHIR R4, "RESTful API" (http.html) and "Search" (search.html).
"""

from collections.abc import Iterable, Mapping

import orjson
from starlette.responses import Response

from esante.core.types import Json
from esante.core.web import FHIR_JSON


def fhir_response(resource: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a resource as a response in `application/fhir+json`."""
    return Response(orjson.dumps(resource), status, headers=headers, media_type=FHIR_JSON)


def searchset(
    resources: Iterable[Json],
    *,
    self_url: str,
    base_url: str,
    next_url: str | None = None,
    total: int | None = None,
    outcome: Json | None = None,
) -> Json:
    """Return a Bundle of type searchset; `outcome` is an OperationOutcome, for example about ignored parameters."""
    entries: list[Json] = [
        {
            "fullUrl": f"{base_url}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in resources
    ]
    if outcome:
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    links = [{"relation": "self", "url": self_url}]
    if next_url:
        links.append({"relation": "next", "url": next_url})
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if total is not None:
        bundle["total"] = total
    if entries:
        bundle["entry"] = entries
    return bundle
