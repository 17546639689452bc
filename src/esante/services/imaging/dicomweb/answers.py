"""Answers of WADO-RS: several parts, one part or a range of it, or a ZIP file, streamed while they are read."""

import base64
import secrets
from collections.abc import AsyncIterator, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from esante.services.imaging.archive.contents import Contents
from esante.services.imaging.dicomweb.media_types import DICOM, RELATED
from esante.services.imaging.dicomweb.multipart import OutgoingPart, RelatedWriter
from esante.services.imaging.dicomweb.zip_stream import ZipStream
from esante.services.imaging.model import Instance

IN_MEMORY = 2 * 1024 * 1024
"""Bytes up to which an answer is sent in one piece."""
RangeReader = Callable[[int, int], AsyncIterator[bytes]]
"""Yields bytes of a part, from an offset on, of a length."""


async def related_response(parts: Sequence[OutgoingPart]) -> Response:
    """Return parts as multipart/related."""
    writer = RelatedWriter(parts)
    return await _streamed(writer.stream(), writer.length, writer.media_type, 200, {})


async def single_response(
    request: Request, part: OutgoingPart, read: RangeReader | None = None, sha256: bytes = b""
) -> Response:
    """Return one part as it is, or a range of it (RFC 9110, 14) where `read` gives one; `sha256`: its digest."""
    headers = dict(part.headers)
    if sha256:
        headers |= {"ETag": f'"{sha256.hex()}"', "Repr-Digest": f"sha-256=:{base64.b64encode(sha256).decode()}:"}
        if f'"{sha256.hex()}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    if read is None:
        return await _streamed(part.stream(), part.size, part.media_type, 200, headers)
    headers["Accept-Ranges"] = "bytes"
    wanted = _parse_range(request.headers.get("range", ""), part.size)
    if wanted is None:
        return await _streamed(part.stream(), part.size, part.media_type, 200, headers)
    start, end = wanted
    if start >= end:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{part.size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{part.size}"
    return await _streamed(read(start, end - start), end - start, part.media_type, 206, headers)


def zip_response(contents: Contents, instances: Sequence[Instance]) -> Response:
    """Return instances as a ZIP file, not compressed; the names in it are numbers (PS3.18, 8.7.3.4)."""
    headers = {"Content-Disposition": 'attachment; filename="images.zip"'}
    return StreamingResponse(_zip(contents, instances), media_type="application/zip", headers=headers)


def unsized_response(contents: Contents, instances: Sequence[Instance]) -> Response:
    """Return instances as stored in multipart/related, some of which are retrieved while the answer is sent."""
    boundary = secrets.token_hex(16)

    async def stream() -> AsyncIterator[bytes]:
        for number, instance in enumerate(instances):
            found = await contents.resolved(instance)
            head = f"--{boundary}\r\nContent-Type: {DICOM}; transfer-syntax={found.transfer_syntax_uid}\r\n\r\n"
            yield (f"\r\n{head}" if number else head).encode("latin-1")
            async for piece in contents.stream(found, ((0, found.size),)):
                yield piece
        yield f"\r\n--{boundary}--\r\n".encode("latin-1")

    return StreamingResponse(stream(), media_type=f'{RELATED}; type="{DICOM}"; boundary={boundary}')


async def stream_bytes(data: bytes) -> AsyncIterator[bytes]:
    """Yield bytes that are in memory."""
    yield data


async def _zip(contents: Contents, instances: Sequence[Instance]) -> AsyncIterator[bytes]:
    written = ZipStream()
    for number, listed in enumerate(instances, 1):
        instance = await contents.resolved(listed)
        pieces = contents.stream(instance, ((0, instance.size),))
        async for piece in written.add(f"IMAGES/IM{number:06d}", instance.received_at, instance.size, pieces):
            yield piece
    yield written.end()


async def _streamed(
    pieces: AsyncIterator[bytes], length: int, media_type: str, status: int, headers: dict[str, str]
) -> Response:
    if length <= IN_MEMORY:
        body = b"".join([piece async for piece in pieces])
        return Response(body, status, headers | {"Content-Type": media_type})
    headers = headers | {"Content-Type": media_type, "Content-Length": str(length)}
    return StreamingResponse(pieces, status, headers)


def _parse_range(text: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the end of a single range; None for no range, or one that is not understood."""
    unit, _, spec = text.partition("=")
    first, separator, last = spec.strip().partition("-")
    digits = [part for part in (first, last) if part]
    if unit.strip() != "bytes" or not separator or not digits or not all(_is_number(part) for part in digits):
        return None
    if not first:
        return max(size - int(last), 0), size if int(last) else 0
    end = min(int(last) + 1, size) if last else size
    return (int(first), end) if not last or int(last) >= int(first) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
