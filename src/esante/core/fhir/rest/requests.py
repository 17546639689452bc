"""Bodies of requests: resources in JSON, and searches sent as forms.

Source: FHIR R4, "RESTful API" (http.html).
"""

from urllib.parse import parse_qsl

from starlette.requests import Request

from esante.core.fhir.rest.negotiation import parse_format_parameter
from esante.core.fhir.search import SUBSETTED
from esante.core.types import Json
from esante.core.web import FHIR_JSON, N_, Problem, read_body

FORM_LIMIT = 64 * 1024
"""Bytes of a search sent as a form."""
_JSON = (FHIR_JSON, "application/json", "text/json")


async def read_resource(request: Request, limit: int) -> bytes:
    """Return the body of a request that sends a resource.

    Raises: Problem 415 for another media type, 413 for more than `limit` bytes.
    """
    require_fhir_json(request)
    return await read_body(request, limit)


def require_whole(resource: Json, place: str = "") -> None:
    """Raise Problem 422 for a part of a resource, which a search or read returned and which is tagged SUBSETTED.

    It would overwrite the rest (search.html, "summary"). `place` is that of the resource; by default its type.
    """
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, dict) and tag.get("code") == SUBSETTED["code"]:
            raise Problem(
                422,
                "business-rule",
                N_("This is only a part of the resource."),
                place=f"{place or resource.get('resourceType', '')}.meta.tag",
                remedy=N_("Read the whole resource, and send that, without the tag SUBSETTED."),
            )


def require_fhir_json(request: Request) -> None:
    """Raise Problem 415 for a body of another media type than FHIR JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _JSON:
        raise Problem(
            415,
            "not-supported",
            N_("Requests in this format are not supported."),
            place="Content-Type",
            remedy=N_("Send FHIR data as application/fhir+json."),
        )


async def convert_posted_search(request: Request) -> Request:
    """Return a search sent as a form (POST [type]/_search) as the same search by GET (http.html, section 3.1.0.9).

    Raises: Problem 415 for another media type, 413 for more than `FORM_LIMIT` bytes, 406 for an unknown `_format`.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        remedy = N_("Send the parameters as application/x-www-form-urlencoded.")
        raise Problem(415, "not-supported", N_("We could not read this form."), remedy=remedy)
    body = await read_body(request, FORM_LIMIT)
    parse_format_parameter(parse_qsl(body.decode("latin-1")))
    query = b"&".join(part for part in (request.scope["query_string"], body) if part)
    path = request.scope["path"].removesuffix("/_search")
    return Request({**request.scope, "query_string": query, "path": path, "method": "GET"})
