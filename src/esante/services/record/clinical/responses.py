"""Answers made of stored resources, whose bytes are never taken apart: one resource, Bundles of search and history."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir.rest import etag, http_date, is_not_modified, return_preference
from esante.core.fhir.store import Version, format_instant
from esante.core.web import FHIR_JSON

Json = dict[str, Any]
Pairs = Iterable[tuple[str, str]]


def resource(request: Request, version: Version) -> Response:
    """A resource that was asked for, or 304 for a client that has it."""
    headers = {"ETag": etag(version.tag), "Last-Modified": http_date(version.since)}
    if is_not_modified(request.headers, version.tag, version.since):
        return Response(status_code=304, headers=headers)
    return Response(version.body, headers=headers, media_type=FHIR_JSON)


def changed(request: Request, version: Version, base_url: str, *, created: bool) -> Response:
    """What is answered to who created or changed a resource: as much of it as he wants back."""
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
            return Response(orjson.dumps(DONE), status, headers=headers, media_type=FHIR_JSON)
    return Response(version.body, status, headers=headers, media_type=FHIR_JSON)


DONE: Json = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "information", "code": "informational", "diagnostics": "It is done."}],
}


def bundle(kind: str, entries: Sequence[Json], *, links: Mapping[str, str], total: int | None = None) -> Response:
    """A Bundle; resources in its entries may be `orjson.Fragment`s."""
    content: Json = {
        "resourceType": "Bundle",
        "type": kind,
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
    }
    if total is not None:
        content["total"] = total
    if entries:
        content["entry"] = entries
    return Response(orjson.dumps(content), media_type=FHIR_JSON)


def entry(base_url: str, type_: str, id_: str, body: bytes, mode: str) -> Json:
    """An entry of a searchset."""
    return {
        "fullUrl": f"{base_url}/{type_}/{id_}",
        "resource": orjson.Fragment(body),
        "search": {"mode": mode},
    }


def past(base_url: str, version: Version) -> Json:
    """An entry of a history."""
    method = "DELETE" if version.deleted else "PUT" if version.version > 1 else "POST"
    found: Json = {
        "fullUrl": f"{base_url}/{version.path}",
        "request": {"method": method, "url": version.type if method == "POST" else version.path},
        "response": {
            "status": {"POST": "201", "PUT": "200", "DELETE": "204"}[method],
            "etag": etag(version.tag),
            "lastModified": format_instant(version.since),
        },
    }
    if not version.deleted:
        found["resource"] = orjson.Fragment(version.body)
    return found


def url(base_url: str, path: str, pairs: Pairs) -> str:
    """An address with parameters; `path` is as the application reads it."""
    query = urlencode(list(pairs))
    return f"{base_url}/{quote(path, safe='/$')}{'?' + query if query else ''}"
