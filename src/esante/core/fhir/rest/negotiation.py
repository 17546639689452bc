"""Negotiation of the format of a response: JSON, under the media type that the client names, indented on request.

Source: FHIR R4, http.html, "Content Types and encodings" and "General parameters"; RFC 9110, section 12.5.1.
"""

from urllib.parse import parse_qsl

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esante.core.web import FHIR_JSON, N_, Problem, on_problem

FORMATS = {FHIR_JSON: FHIR_JSON, "json": FHIR_JSON, "application/json": "application/json", "text/json": "text/json"}
"""The values of `_format` and Accept, and the media type of the response for each."""
_ANY = ("*/*", "application/*", "text/*")
_VERSIONS = ("4.0", "4.0.1")
_OTHER_FORMATS = ("/fhir/Binary/", "/fhir/$export/", "/fhir/.well-known/")
"""Paths whose responses have formats of their own."""


class ContentNegotiation:
    """ASGI middleware that rejects requests for another format, and gives responses the requested one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or respond with 406 before anything is done."""
        path = scope.get("path", "")
        is_fhir = path == "/fhir" or path.startswith("/fhir/")
        if scope["type"] != "http" or not is_fhir or path.startswith(_OTHER_FORMATS):
            await self._app(scope, receive, send)
            return
        query = scope["query_string"]
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True) if b"_" in query else []
        try:
            media_type = parse_format_parameter(pairs) or parse_accept(Headers(scope=scope).get("accept", ""))
        except Problem as problem:
            await (await on_problem(Request(scope, receive), problem))(scope, receive, send)
            return
        is_pretty = ("_pretty", "true") in pairs
        if media_type != FHIR_JSON or is_pretty:
            send = _FormattedSend(send, media_type, is_pretty=is_pretty)
        await self._app(scope, receive, send)


def parse_format_parameter(pairs: list[tuple[str, str]]) -> str:
    """Return the media type that `_format` names, which takes precedence over Accept; "" where it is absent.

    Raises: Problem 406 for a format that is not supported.
    """
    name = next((value for name, value in pairs if name == "_format"), "")
    if not name:
        return ""
    # A plus that was not escaped is a blank in a query.
    found = FORMATS.get(name.partition(";")[0].strip().lower().replace(" ", "+"))
    if found is None:
        raise _not_acceptable("_format", name)
    return found


def parse_accept(accept: str) -> str:
    """Return the media type of the response for a header Accept: the one of the greatest weight, the first of equals.

    Raises: Problem 406 where none is supported.
    """
    best, weight = "", 0.0
    for part in accept.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        found = FORMATS.get(name) if "/" in name else None
        if name in _ANY or (not name and not best):
            found = FHIR_JSON
        given = dict(each.partition("=")[::2] for each in parameters)
        if found and given.get("fhirversion", "4.0") in _VERSIONS and (own := _weight(given.get("q", "1"))) > weight:
            best, weight = found, own
    if not best:
        raise _not_acceptable("Accept", accept)
    return best


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _not_acceptable(place: str, found: str) -> Problem:
    return Problem(
        406,
        "not-supported",
        N_("Responses are not available in this format."),
        place=place,
        detail=found[:100],
        remedy=N_("Request application/fhir+json, or leave out the format."),
    )


class _FormattedSend:
    """Sends a JSON response under another media type, or indented; documents, which have a digest, are not changed."""

    def __init__(self, send: Send, media_type: str, *, is_pretty: bool) -> None:
        self._send, self._media_type, self._is_pretty = send, media_type, is_pretty
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Send a part of the response, or keep it until the body is complete."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            is_fhir = headers.get("content-type") == FHIR_JSON and "content-digest" not in headers
            if is_fhir:
                headers["content-type"] = self._media_type
            if is_fhir and self._is_pretty:
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            if self._body:
                self._body = msgspec.json.format(self._body, indent=2)
                MutableHeaders(scope=self._start)["content-length"] = str(len(self._body))
            await self._send(self._start)
            message = {**message, "body": self._body}
            self._start = None
        await self._send(message)
