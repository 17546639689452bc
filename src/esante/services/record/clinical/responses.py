"""HTTP responses made of stored resources, whose JSON is never parsed: one resource, searchset and history Bundles."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir.rest import etag, http_date, is_not_modified, part_of, return_preference
from esante.core.fhir.search import SearchQuery, select_elements
from esante.core.fhir.store import Version, format_instant
from esante.core.types import Json
from esante.core.web import FHIR_JSON

Pairs = Iterable[tuple[str, str]]
"""Query parameters, in order."""


def resource_response(request: Request, version: Version) -> Response:
    """Return the response to a read: the resource, or the part that is asked for; 304 where the client has it already.

    Raises: `Problem` 400 for an invalid `_summary` or `_elements`.
    """
    headers = {"ETag": etag(version.tag), "Last-Modified": http_date(version.since)}
    if is_not_modified(request.headers, version.tag, version.since):
        return Response(status_code=304, headers=headers)
    body = select_elements(version.body, part_of(request, version.type))
    return Response(body, headers=headers, media_type=FHIR_JSON)


def write_response(request: Request, version: Version, base_url: str, *, created: bool) -> Response:
    """Return the response to a create or update, with the body that `Prefer: return=` asks for."""
    headers = {
        "Location": f"{base_url}/{version.path}/_history/{version.tag}",
        "ETag": etag(version.tag),
        "Last-Modified": http_date(version.since),
    }
    status = 201 if created else 200
    match return_preference(request.headers):
        case "minimal":
            return Response(status_code=status, headers=headers)
        case "OperationOutcome":
            return Response(orjson.dumps(_SUCCESS), status, headers=headers, media_type=FHIR_JSON)
    return Response(version.body, status, headers=headers, media_type=FHIR_JSON)


_SUCCESS: Json = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational", "diagnostics": "The operation succeeded."}],
}


def bundle_response(
    type_: str, entries: Sequence[Json], *, links: Mapping[str, str], total: int | None = None
) -> Response:
    """Return a Bundle of a type; resources in its entries may be `orjson.Fragment`s."""
    bundle: Json = {
        "resourceType": "Bundle",
        "type": type_,
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
    }
    if total is not None:
        bundle["total"] = total
    if entries:
        bundle["entry"] = entries
    return Response(orjson.dumps(bundle), media_type=FHIR_JSON)


def searchset_entry(base_url: str, type_: str, id_: str, body: bytes, mode: str) -> Json:
    """Return an entry of a searchset; `mode`: "match" or "include"."""
    return {
        "fullUrl": f"{base_url}/{type_}/{id_}",
        "resource": orjson.Fragment(body),
        "search": {"mode": mode},
    }


def history_entry(base_url: str, version: Version, part: SearchQuery | None = None) -> Json:
    """Return the entry of a version in a history Bundle; `part`: what is shown of the resource (None: all)."""
    method = "DELETE" if version.deleted else "PUT" if version.version > 1 else "POST"
    entry: Json = {
        "fullUrl": f"{base_url}/{version.path}",
        "request": {"method": method, "url": version.type if method == "POST" else version.path},
        "response": {
            "status": {"POST": "201", "PUT": "200", "DELETE": "204"}[method],
            "etag": etag(version.tag),
            "lastModified": format_instant(version.since),
        },
    }
    if not version.deleted:
        entry["resource"] = orjson.Fragment(select_elements(version.body, part))
    return entry


def build_url(base_url: str, path: str, pairs: Pairs) -> str:
    """Return an address with query parameters; `path` is not percent-encoded yet."""
    query = urlencode(list(pairs))
    return f"{base_url}/{quote(path, safe='/$')}{'?' + query if query else ''}"
