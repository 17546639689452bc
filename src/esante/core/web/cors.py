"""Which other sites' pages may read answers in a browser (the Fetch standard, section 3.2, "CORS protocol").

Apps that run in a browser: those that are registered may use the FHIR and OAuth faces, anybody may read what describes
them. Never with cookies: a page of another site acts by its token alone, never as who happens to be signed in.
"""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esante.core.storage import Unavailable

_OPEN = ("/.well-known/", "/fhir/.well-known/", "/fhir/metadata")
_FOR_APPS = ("/fhir/", "/oauth/token", "/oauth/introspect", "/oauth/revoke")
_PLACES = (*_OPEN, *_FOR_APPS)
_EXPOSED = b"Content-Digest, Content-Location, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate"
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer"
_VARY = (b"vary", b"Origin")
_SECONDS = "600"
"""Seconds for which a browser need not ask again."""


class Cors:
    """Says to browsers which pages may read an answer; `app.state.knows_origin` knows the registered ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer what a browser asks before one."""
        if scope["type"] != "http" or not (scope["path"].startswith(_PLACES) or scope["path"] == "/fhir"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = await _allowed(scope, headers.get("origin", ""))
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _asked_before(allowed)(scope, receive, send)
            return
        added = [_VARY]
        if allowed:
            added += [
                (b"access-control-allow-origin", allowed.encode()),
                (b"access-control-expose-headers", _EXPOSED),
            ]

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, marked)


async def _allowed(scope: Scope, origin: str) -> str:
    """The origin that may read the answer: the one that asks, `*` for any, "" for none."""
    if scope["path"].startswith(_OPEN):
        return "*"
    if not origin:
        return ""
    try:
        return origin if await scope["app"].state.knows_origin(origin) else ""
    except Unavailable:
        return ""


def _asked_before(allowed: str) -> Response:
    """The answer to a preflight request."""
    headers = {"Vary": "Origin"}
    if allowed:
        headers |= {
            "Access-Control-Allow-Origin": allowed,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Max-Age": _SECONDS,
        }
    return Response(status_code=204 if allowed else 403, headers=headers)
