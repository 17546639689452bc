"""Bodies of HTTP requests to messages: JSON, JSON lines, FHIR AuditEvent and Bundles of them, lines of text, ATNA."""

import json
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from esante.core.web import N_, Problem, bad_request, too_large

MAX_BODY = 8 << 20
"""Bytes of a body as it is sent."""
MAX_UNPACKED = 32 << 20
"""Bytes of a body that was compressed."""
MAX_EVENTS = 10_000
"""Events of one request."""
_ARRAYS = ("Records", "records", "value", "events", "Events")
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


async def read_body(chunks: AsyncIterator[bytes], encoding: str, hold: Callable[[int], None]) -> bytes:
    """Return a body, decompressed while it comes, so that a bomb is noticed before it is large.

    `hold` is told of each further number of bytes that are held.
    Raises: what `hold` raises, Problem 413 for too large a body, 415 for an unknown encoding, 400 for broken data.
    """
    encoding = encoding.strip().lower()
    inflate = None
    if encoding not in ("", "identity"):
        if encoding not in _WINDOW_BITS:
            detail, remedy = "gzip, deflate", N_("Compress it another way, or not at all.")
            raise Problem(415, "not-supported", N_("This encoding is not supported."), detail=detail, remedy=remedy)
        inflate = zlib.decompressobj(_WINDOW_BITS[encoding])
    found, received = bytearray(), 0
    async for chunk in chunks:
        received += len(chunk)
        if received > MAX_BODY:
            raise too_large(MAX_BODY)
        part = chunk if inflate is None else _inflated(inflate, chunk, MAX_UNPACKED - len(found))
        hold(len(part))
        found += part
    if inflate is not None and not inflate.eof:
        raise _broken("the compressed data end too early")
    return bytes(found)


def _inflated(inflate: Any, chunk: bytes, space: int) -> bytes:
    try:
        found = inflate.decompress(chunk, space + 1)
    except zlib.error as error:
        raise _broken(str(error)) from error
    if len(found) > space or inflate.unconsumed_tail:
        raise too_large(MAX_UNPACKED)
    if inflate.unused_data:
        raise _broken("there is something after the compressed data")
    return bytes(found)


def split_body(body: bytes) -> list[bytes]:
    """Return the messages of a body, one an event. Raises: Problem 400 for an empty one, 413 for too many."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        raise bad_request("body", N_("The request holds no event."), N_("Send at least one."), code="required")
    messages = _of_json(text) if text[:1] in (b"{", b"[") else _of_text(text)
    if len(messages) > MAX_EVENTS:
        raise too_many()
    return messages


def too_many() -> Problem:
    """Return the refusal of too many events at once."""
    return Problem(
        413,
        "too-long",
        N_("The request holds too many events."),
        detail=f"{MAX_EVENTS:,}",
        remedy=N_("Send less at a time."),
    )


def audit_events(body: bytes) -> list[bytes]:
    """Return the AuditEvents of a FHIR Bundle (`batch`, `collection` or `transaction`).

    Raises: Problem 400 for what is no such Bundle, 413 for too many.
    """
    try:
        bundle = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _broken(str(error)) from error
    if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
        raise bad_request("Bundle", N_("This is not a Bundle."), N_("Send a Bundle of AuditEvents."))
    found = _entries(bundle)
    if found is None:
        raise bad_request("Bundle.entry", N_("This Bundle holds no AuditEvents."), N_("Send a Bundle of AuditEvents."))
    if len(found) > MAX_EVENTS:
        raise too_many()
    return found


def _of_json(text: bytes) -> list[bytes]:
    """Return the events of JSON: one document, or a line each. A line that is broken is a message as it is."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [line for one in text.split(b"\n") if (line := one.strip())]
    return _of_value(value, text)


def _of_value(value: Any, text: bytes) -> list[bytes]:
    if isinstance(value, list):
        return [_dumped(one) for one in value]
    if value.get("resourceType") == "Bundle" and (entries := _entries(value)):
        return entries
    for name in _ARRAYS:
        wrapped = value.get(name)
        if isinstance(wrapped, list) and wrapped and all(isinstance(one, dict) for one in wrapped):
            return [_dumped(one) for one in wrapped]
    return [text]


def _entries(bundle: dict[str, Any]) -> list[bytes] | None:
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries:
        return None
    found = [one.get("resource") if isinstance(one, dict) else None for one in entries]
    if not all(isinstance(one, dict) and one.get("resourceType") == "AuditEvent" for one in found):
        return None
    return [_dumped(one) for one in found]


def _dumped(value: Any) -> bytes:
    """Return a value in JSON; one that is nested too deep for the fast encoder too, so that it is kept as a fault."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode()


def _of_text(text: bytes) -> list[bytes]:
    """Return lines, or one audit message in XML."""
    if text.startswith((b"<?xml", b"<AuditMessage")):
        return [text]
    return [line for one in text.split(b"\n") if (line := one.strip())]


def _broken(detail: str) -> Problem:
    return Problem(
        400, "structure", N_("The request cannot be read."), detail=detail, remedy=N_("Check how it is encoded.")
    )
