"""Security headers of every response: what a browser or a cache must not do with it."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esante.core.web.problems import on_fault


def content_policy(*scripts: str) -> str:
    """Return the Content-Security-Policy of pages; `scripts` are sources of scripts beside the program's own files."""
    sources = " ".join(("'self'", *scripts))
    return (
        f"default-src 'none'; script-src {sources}; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"content-security-policy", content_policy().encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"geolocation=(), microphone=(), payment=()"),
)
_UNCACHED_HEADERS = (*_HEADERS, (b"cache-control", b"no-store"))
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")
_NAMES = frozenset(name for name, _ in (*_UNCACHED_HEADERS, _HTTPS_ONLY))
_PUBLIC = "/static/"


class SecurityHeaders:
    """Middleware that adds the headers that a response does not set; only the program's own files may be cached.

    Internal errors are answered here, and not by Starlette outside of all middleware, so that their responses have
    the headers too, and are logged once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        headers = _HEADERS if scope["path"].startswith(_PUBLIC) else _UNCACHED_HEADERS
        if "app" in scope and getattr(scope["app"].state, "secure", False):
            headers = (*headers, _HTTPS_ONLY)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name for name, _ in message["headers"]}
                added = headers if present.isdisjoint(_NAMES) else [pair for pair in headers if pair[0] not in present]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if started:
                raise
            response = await on_fault(Request(scope, receive), error)
            await response(scope, receive, send_with_headers)
