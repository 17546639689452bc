"""Multipart messages (RFC 2387, RFC 2046, 5.1): read while they come in, and written while they are read."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from esante.core.storage import Piece
from esante.core.web import N_, bad_request

MAX_PART_HEADER = 16 * 1024
"""Bytes of the headers of a part."""
Event = tuple[str, bytes]
"""Of a part that is read: begin, data (its bytes), end."""


class RelatedReader:
    """Reads a multipart message piece by piece."""

    def __init__(self, boundary: str) -> None:
        self._events: list[Event] = []
        self._header_size = 0
        self.is_complete = False
        self._parser = MultipartParser(
            boundary.encode("latin-1"),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._read_header,
                "on_header_value": self._read_header,
                "on_headers_finished": lambda: self._events.append(("begin", b"")),
                "on_part_data": self._read_data,
                "on_part_end": lambda: self._events.append(("end", b"")),
                "on_end": self._finish,
            },
        )

    def feed(self, data: bytes) -> list[Event]:
        """Return what a further piece of the message brings. Raises: Problem 400 for what is no multipart message."""
        try:
            self._parser.write(data)
        except (MultipartParseError, ValueError) as error:
            raise malformed() from error
        events, self._events = self._events, []
        return events

    def _begin(self) -> None:
        self._header_size = 0

    def _read_header(self, data: bytes, start: int, end: int) -> None:
        self._header_size += end - start
        if self._header_size > MAX_PART_HEADER:
            raise ValueError("the headers of a part are too large")

    def _read_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(("data", data[start:end]))

    def _finish(self) -> None:
        self.is_complete = True


@dataclass(frozen=True, slots=True)
class OutgoingPart:
    """A part of an answer: its media type, its size in bytes, a function that yields its bytes, further headers."""

    media_type: str
    size: int
    stream: Callable[[], AsyncIterator[Piece]]
    headers: Sequence[tuple[str, str]] = ()


class RelatedWriter:
    """Writes parts as multipart/related: `media_type` of the body, and its `length` in bytes."""

    def __init__(self, parts: Sequence[OutgoingPart]) -> None:
        boundary = secrets.token_hex(16)
        kind = parts[0].media_type.partition(";")[0]
        self._parts, self._heads = parts, [_head(boundary, one) for one in parts]
        self._heads[0] = self._heads[0].removeprefix(b"\r\n")
        self._end = f"\r\n--{boundary}--\r\n".encode()
        self.media_type = f'multipart/related; type="{kind}"; boundary={boundary}'
        self.length = sum(map(len, self._heads)) + sum(part.size for part in parts) + len(self._end)

    async def stream(self) -> AsyncIterator[Piece]:
        """Yield the body."""
        for head, part in zip(self._heads, self._parts, strict=True):
            yield head
            async for piece in part.stream():
                yield piece
        yield self._end


def _head(boundary: str, part: OutgoingPart) -> bytes:
    lines = ["", f"--{boundary}", f"Content-Type: {part.media_type}", f"Content-Length: {part.size}"]
    lines += [f"{name}: {value}" for name, value in part.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def malformed() -> Exception:
    """Return the refusal of a body that is no multipart message, or ends too early."""
    return bad_request(
        "body",
        N_("This upload is not a complete multipart message."),
        N_("Send it again. Nothing of it was stored."),
        code="structure",
    )
