"""Cross-origin access from other sites' pages in a browser (Fetch standard, section 3.2, "CORS protocol").

Registered apps may use the FHIR and OAuth endpoints from a browser; any site may read their metadata. Never with
cookies: a page of another site acts by its token alone, never by the session of the signed-in person.
"""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esante.core.storage import Unavailable

_METADATA = ("/.well-known/", "/fhir/.well-known/", "/fhir/metadata")
_APP_ENDPOINTS = ("/fhir/", "/oauth/token", "/oauth/introspect", "/oauth/revoke")
_PATHS = (*_METADATA, *_APP_ENDPOINTS)
_EXPOSED_HEADERS = b"Content-Digest, Content-Location, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate"
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer,"
    " X-File-Reference, X-Purpose-Of-Use"
)
_VARY = (b"vary", b"Origin")
_MAX_AGE = "600"
"""Seconds for which a browser may cache the response to a preflight request."""


class Cors:
    """Middleware that adds the CORS headers; `app.state.knows_origin(origin)` says whether an app is registered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer a preflight request."""
        if scope["type"] != "http" or not (scope["path"].startswith(_PATHS) or scope["path"] == "/fhir"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = await _allowed_origin(scope, headers.get("origin", ""))
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight_response(allowed)(scope, receive, send)
            return
        added = [_VARY]
        if allowed:
            added += [
                (b"access-control-allow-origin", allowed.encode()),
                (b"access-control-expose-headers", _EXPOSED_HEADERS),
            ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _allowed_origin(scope: Scope, origin: str) -> str:
    """Return the origin that may read the response: the one of the request, `*` for any, "" for none."""
    if scope["path"].startswith(_METADATA):
        return "*"
    if not origin:
        return ""
    try:
        return origin if await scope["app"].state.knows_origin(origin) else ""
    except Unavailable:
        return ""


def _preflight_response(allowed: str) -> Response:
    """Return the response to a preflight request."""
    headers = {"Vary": "Origin"}
    if allowed:
        headers |= {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _REQUEST_HEADERS,
            "Access-Control-Max-Age": _MAX_AGE,
        }
    return Response(status_code=204 if allowed else 403, headers=headers)
