"""The manifest of a link, and single files (SMART Health Links, "Manifest Request"), for any software."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.web import N_, Problem, bad_request, origin_of, read_body
from esante.services.vaccination.health_links.service import PATH, HealthLinks, WrongPin

_MAX_REQUEST = 4_096
_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
_PREFLIGHT = {
    **_HEADERS,
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Content-Type",
    "Access-Control-Max-Age": "600",
}


def routes(links: HealthLinks) -> list[Route]:
    """Return the routes of links."""

    async def manifest(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        asked = _manifest_request(await read_body(request, _MAX_REQUEST))
        try:
            files = await links.open(
                request.path_params["address"],
                asked["recipient"],
                asked.get("passcode", ""),
                origin_of(request),
                asked.get("embeddedLengthMax"),
            )
        except WrongPin as error:
            return JSONResponse({"remainingAttempts": error.remaining}, 401, headers=_HEADERS)
        except Problem as problem:
            problem.headers |= _HEADERS  # so that the software of other sites sees the status
            raise
        return JSONResponse({"files": files}, headers=_HEADERS)

    async def file(request: Request) -> Response:
        jwe = await links.fetch_file(request.path_params["token"], origin_of(request))
        return Response(jwe, headers=_HEADERS, media_type="application/jose")

    return [
        Route(f"{PATH}/files/{{token}}", file),
        Route(f"{PATH}/{{address}}", manifest, methods=["POST", "OPTIONS"]),
    ]


def _manifest_request(body: bytes) -> dict[str, Any]:
    """Return a manifest request. Raises: `Problem` 400 for what is none."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request("", N_("This request is not valid JSON."), code="structure") from error
    match asked:
        case {"recipient": str()}:
            most = asked.get("embeddedLengthMax")
            if isinstance(asked.get("passcode", ""), str) and (most is None or type(most) is int):
                return dict(asked)
    raise bad_request(
        "recipient",
        N_("The request needs `recipient` as a text."),
        detail="`passcode` is a text, `embeddedLengthMax` a whole number.",
        code="required",
    )
