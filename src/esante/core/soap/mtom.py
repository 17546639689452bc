"""Messages with attachments (MTOM, XOP): read when they are in memory, written while they are sent."""

import base64
import binascii
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.responses import Response, StreamingResponse

from esante.core.soap.envelope import MEDIA_TYPE, Malformed
from esante.core.storage import Piece

XOP = "http://www.w3.org/2004/08/xop/include"
RELATED = "multipart/related"
XOP_XML = "application/xop+xml"
MAX_PARTS = 100
_ROOT = "root@esante"


@dataclass(frozen=True, slots=True)
class Package:
    """A message with the attachments that came with it, by Content-ID; `is_mtom`: whether it came as MTOM."""

    root: bytes
    attachments: dict[str, bytes]
    is_mtom: bool

    def bytes_of(self, element: etree._Element) -> bytes:
        """Return the bytes that an element of base64Binary has or includes. Raises: `Malformed`."""
        include = element.find(f"{{{XOP}}}Include")
        if include is None:
            return _base64(element.text or "")
        name = unquote(str(include.get("href", "")).removeprefix("cid:"))
        if name not in self.attachments:
            raise Malformed(f"there is no attachment {name[:100]}")
        return self.attachments[name]


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment to send: its media type, its Content-ID, a function that yields its bytes."""

    media_type: str
    content_id: str
    stream: Callable[[], AsyncIterator[Piece]]


def attachment_of(data: bytes, media_type: str, content_id: str) -> Attachment:
    """Return bytes as an attachment."""

    async def stream() -> AsyncIterator[Piece]:
        yield data

    return Attachment(media_type, content_id, stream)


def read_package(data: bytes, content_type: str) -> Package:
    """Return the message of a body. Raises: `Malformed`."""
    name, parameters = parse_options_header(content_type)
    if name.decode("latin-1") != RELATED:
        return Package(data, {}, False)
    boundary = parameters.get(b"boundary", b"").decode("latin-1")
    if not 1 <= len(boundary) <= 70:
        raise Malformed("Content-Type: the boundary is missing")
    parts = _read_parts(data, boundary)
    if not parts:
        raise Malformed("the message has no part")
    start = parameters.get(b"start", b"").decode("latin-1").strip("<>")
    root = next((content for one, content in parts if start and one == start), parts[0][1])
    return Package(root, dict(parts), True)


def soap_response(root: bytes, attachments: Sequence[Attachment] = (), *, is_mtom: bool) -> Response:
    """Return the response with a message, packed as MTOM or plain."""
    if not is_mtom:
        return Response(root, media_type=MEDIA_TYPE)
    boundary = secrets.token_hex(16)
    return StreamingResponse(write_package(root, attachments, boundary), media_type=related_type(boundary))


def related_type(boundary: str) -> str:
    """Return the media type of a message with attachments."""
    return f'{RELATED}; type="{XOP_XML}"; start="<{_ROOT}>"; start-info="{MEDIA_TYPE}"; boundary={boundary}'


async def write_package(root: bytes, attachments: Sequence[Attachment], boundary: str) -> AsyncIterator[Piece]:
    """Yield a message with its attachments."""
    kind = f'{XOP_XML}; charset=utf-8; type="{MEDIA_TYPE}"'
    yield _head(boundary, kind, _ROOT).removeprefix(b"\r\n") + root
    for one in attachments:
        yield _head(boundary, one.media_type, one.content_id)
        async for piece in one.stream():
            yield piece
    yield f"\r\n--{boundary}--\r\n".encode()


def _head(boundary: str, kind: str, content_id: str) -> bytes:
    lines = (f"\r\n--{boundary}", f"Content-Type: {kind}", "Content-Transfer-Encoding: binary")
    return "\r\n".join((*lines, f"Content-ID: <{content_id}>", "", "")).encode()


def _read_parts(data: bytes, boundary: str) -> list[tuple[str, bytes]]:
    """Return the parts of a multipart message: Content-ID and bytes of each."""
    parts: list[tuple[str, bytes]] = []
    name, value, content_id, pieces = bytearray(), bytearray(), "", list[bytes]()

    def end_header() -> None:
        nonlocal content_id
        if bytes(name).lower() == b"content-id":
            content_id = bytes(value).decode("latin-1").strip().strip("<>")
        name.clear()
        value.clear()

    def end_part() -> None:
        nonlocal content_id
        parts.append((content_id, b"".join(pieces)))
        pieces.clear()
        content_id = ""
        if len(parts) > MAX_PARTS:
            raise Malformed(f"more than {MAX_PARTS} parts")

    parser = MultipartParser(
        boundary.encode("latin-1"),
        {
            "on_header_field": lambda found, start, end: name.extend(found[start:end]),
            "on_header_value": lambda found, start, end: value.extend(found[start:end]),
            "on_header_end": end_header,
            "on_part_data": lambda found, start, end: pieces.append(found[start:end]),
            "on_part_end": end_part,
        },
    )
    try:
        parser.write(data)
    except (MultipartParseError, ValueError) as error:
        raise Malformed("this is no multipart message") from error
    return parts


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("Document: this is no base64") from error
