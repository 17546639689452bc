"""Which format an answer has: JSON, named as the client names it, and laid out for people where it asks so.

Source: FHIR R4, http.html, "Content Types and encodings" and "General parameters"; RFC 9110, section 12.5.1.
"""

from urllib.parse import parse_qsl

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from esante.core.web import FHIR_JSON, N_, Problem, on_problem

FORMATS = {FHIR_JSON: FHIR_JSON, "json": FHIR_JSON, "application/json": "application/json", "text/json": "text/json"}
"""What may be asked for (`_format`, Accept), and the media type of the answer."""
_ANY = ("*/*", "application/*", "text/*")
_VERSIONS = ("4.0", "4.0.1")
_OWN = ("/fhir/Binary/", "/fhir/$export/", "/fhir/.well-known/")
"""What has answers in formats of its own."""


class Negotiation:
    """Refuses what asks for another format before anything is done, and gives answers the format that is asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 406."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == "/fhir" or path.startswith("/fhir/")) or path.startswith(_OWN):
            await self._app(scope, receive, send)
            return
        query = scope["query_string"]
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True) if b"_" in query else []
        try:
            media_type = of_parameters(pairs) or _of_header(Headers(scope=scope).get("accept", ""))
        except Problem as problem:
            await (await on_problem(Request(scope, receive), problem))(scope, receive, send)
            return
        is_pretty = ("_pretty", "true") in pairs
        if media_type != FHIR_JSON or is_pretty:
            send = _Shaped(send, media_type, is_pretty=is_pretty)
        await self._app(scope, receive, send)


def of_parameters(pairs: list[tuple[str, str]]) -> str:
    """The media type that `_format` asks for, which counts more than Accept; "" where it is not there. Problem 406."""
    name = next((value for name, value in pairs if name == "_format"), "")
    if not name:
        return ""
    # A plus that was not escaped is a blank in a query.
    found = FORMATS.get(name.partition(";")[0].strip().lower().replace(" ", "+"))
    if found is None:
        raise _unacceptable("_format", name)
    return found


def _of_header(accept: str) -> str:
    """The media type of the answer for a header Accept: that with the greatest weight, the first of equals. Problem
    406 where none can be given."""
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
        raise _unacceptable("Accept", accept)
    return best


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _unacceptable(place: str, found: str) -> Problem:
    return Problem(
        406,
        "not-supported",
        N_("Answers are not made in this format."),
        place=place,
        detail=found[:100],
        remedy=N_("Ask for application/fhir+json, or for no format."),
    )


class _Shaped:
    """Sends an answer in JSON under another name, or laid out for people; bytes that came in stay as they are."""

    def __init__(self, send: Send, media_type: str, *, is_pretty: bool) -> None:
        self._send, self._media_type, self._is_pretty = send, media_type, is_pretty
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer, or keep it until all is there."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            is_ours = headers.get("content-type") == FHIR_JSON and "content-digest" not in headers
            if is_ours:
                headers["content-type"] = self._media_type
            if is_ours and self._is_pretty:
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
