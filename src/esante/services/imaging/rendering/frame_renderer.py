"""Renders and decodes frames in the worker processes."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esante.core.types import Json
from esante.services.imaging.ingest.values import items_of
from esante.services.record import WorkerFailure, WorkerPool

MAX_DATA = 48 * 1024 * 1024
"""Bytes of a frame or file that a worker takes."""
WORKERS = 2
TIMEOUT = 30.0
"""Seconds for one frame or file; the libraries alone take some to load on a busy machine."""
_PROGRAM = Path(__file__).with_name("worker")
_IMAGE_TAGS = (
    "00280002",  # Samples per Pixel
    "00280004",  # Photometric Interpretation
    "00280006",  # Planar Configuration
    "00280010",  # Rows
    "00280011",  # Columns
    "00280100",  # Bits Allocated
    "00280101",  # Bits Stored
    "00280102",  # High Bit
    "00280103",  # Pixel Representation
    "00281050",  # Window Center
    "00281051",  # Window Width
    "00281052",  # Rescale Intercept
    "00281053",  # Rescale Slope
    "00281101",
    "00281102",
    "00281103",  # Palette Color Lookup Table Descriptors
    "00281201",
    "00281202",
    "00281203",  # Palette Color Lookup Table Data
)
PALETTES = ("00281201", "00281202", "00281203")
_SHARED, _PER_FRAME = "52009229", "52009230"
_MACROS = ("00289132", "00289145")
"""Frame VOI LUT, Pixel Value Transformation."""


class NotRendered(Exception):
    """A frame that cannot be decoded; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How a picture is to be: `format` JPEG or PNG, its window (centre, width), its largest size, its quality.

    `watermark`: a text that is drawn over it, "" for none.
    """

    format: str = "JPEG"
    window: tuple[float, float] | None = None
    size: tuple[int, int] | None = None
    quality: int = 90
    watermark: str = ""


class FrameRenderer:
    """Decodes frames for a client (any key), between which the worker processes are shared.

    Every method raises `NotRendered`, and `storage.Overloaded` when too many requests wait.
    """

    def __init__(self) -> None:
        self._workers = WorkerPool(WORKERS, _PROGRAM, TIMEOUT)

    async def close(self) -> None:
        """Stop the processes."""
        await self._workers.close()

    async def render(self, image: Json, syntax: str, frame: bytes, picture: Picture, client: Hashable) -> bytes:
        """Return a picture of a frame; `image`: as `image_attributes` returns it."""
        request = {
            "task": "render",
            "image": image,
            "syntax": syntax,
            "format": picture.format,
            "window": picture.window,
            "size": picture.size,
            "quality": picture.quality,
            "watermark": picture.watermark,
        }
        return await self._run(request, frame, client)

    async def decode(self, image: Json, syntax: str, frame: bytes, client: Hashable) -> bytes:
        """Return the pixels of a frame as in Explicit VR Little Endian."""
        return await self._run({"task": "decode", "image": image, "syntax": syntax}, frame, client)

    async def transcode(self, file: bytes, client: Hashable) -> bytes:
        """Return a file in Explicit VR Little Endian."""
        return await self._run({"task": "transcode"}, file, client)

    async def _run(self, request: Json, data: bytes, client: Hashable) -> bytes:
        if len(data) > MAX_DATA:
            raise NotRendered(f"{len(data):,} bytes, {MAX_DATA:,} are allowed")
        try:
            head, body = await self._workers.run(request, data, client=client)
        except WorkerFailure as error:
            raise NotRendered("the worker process failed") from error
        if "unreadable" in head:
            raise NotRendered(str(head["unreadable"]))
        return body


def image_attributes(header: Json, frame: int) -> Json:
    """Return the attributes of a header by which a frame (from 1) is decoded and shown."""
    found = {tag: header[tag] for tag in _IMAGE_TAGS if tag in header}
    for group, place in ((_SHARED, 0), (_PER_FRAME, frame - 1)):
        items = items_of(header, group)
        for macro in _MACROS if place < len(items) else ():
            for item in items_of(items[place], macro):
                found |= {tag: value for tag, value in item.items() if tag in _IMAGE_TAGS}
    return found


def palette_spans(image: Json) -> dict[str, tuple[int, int]]:
    """Return where the palettes are that do not stand in the header: offset and length by tag."""
    spans = {}
    for tag in PALETTES:
        if uri := image.get(tag, {}).get("BulkDataURI"):
            start, _, length = uri.partition("-")
            spans[tag] = int(start), int(length)
    return spans


def with_palette(image: Json, tag: str, data: Any) -> Json:
    """Return the attributes with a palette in them."""
    return image | {tag: {"vr": "OW", "InlineBinary": data}}
