"""Where each frame of an instance is in its file (PS3.5, A.4), and whether the pixel data are as large as declared."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from esante.services.imaging.ingest.header import Header, PixelData
from esante.services.imaging.ingest.limits import MAX_FRAMES, Rejected

Spans = tuple[tuple[int, int], ...]
"""Parts of a file, each with its offset and length in bytes; their bytes one after the other are the frame."""


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Where the frames are: as many of one size from an offset on, or the spans of each.

    `first`, `size`: the offset of the first frame and the bytes of each; `spans`: those of encapsulated frames.
    """

    count: int = 0
    first: int = 0
    size: int = 0
    spans: tuple[Spans, ...] = ()

    def frame(self, number: int) -> Spans | None:
        """Return the spans of a frame, the first one is 1; None where there is none."""
        if not 1 <= number <= self.count:
            return None
        return self.spans[number - 1] if self.spans else ((self.first + (number - 1) * self.size, self.size),)

    def encode(self) -> bytes:
        """Return the index as it is stored."""
        spans = [[part for span in frame for part in span] for frame in self.spans]
        return orjson.dumps([self.count, self.first, self.size, spans])

    @classmethod
    def decode(cls, stored: bytes) -> "FrameIndex":
        """Return an index that `encode` made."""
        count, first, size, spans = orjson.loads(stored)
        return cls(count, first, size, tuple(tuple(zip(one[::2], one[1::2], strict=True)) for one in spans))


def frame_index(header: Header) -> FrameIndex:
    """Return where the frames are. Raises: `Rejected` for dimensions that the pixel data do not have."""
    pixel_data = header.pixel_data
    if pixel_data is None or (pixel_data.length == 0 and not pixel_data.encapsulated):
        return FrameIndex()
    count = header.number("00280008", 1) or 1
    rows, columns = header.number("00280010"), header.number("00280011")
    samples, bits = header.number("00280002", 1), pixel_data.bits or header.number("00280100")
    if not (0 < count <= MAX_FRAMES and 0 < rows <= 65_535 and 0 < columns <= 65_535):
        raise Rejected("dimensions", f"{columns} x {rows} x {count}")
    if not (samples in (1, 3, 4) and bits in (1, 8, 16, 32, 64)):
        raise Rejected("dimensions", f"{samples} samples of {bits} bits")
    if pixel_data.encapsulated:
        return FrameIndex(count, spans=_encapsulated(pixel_data, count, _extended_offsets(header)))
    if header.text("00280004") == "YBR_FULL_422":
        samples = 2  # PS3.3, C.7.6.3.1.2: two samples for each pixel
    total_bits = rows * columns * samples * bits * count
    if (total_bits + 7) // 8 > pixel_data.length:
        raise Rejected("dimensions", f"{(total_bits + 7) // 8} bytes of pixels declared, {pixel_data.length} present")
    size, rest = divmod(rows * columns * samples * bits, 8)
    if rest and count > 1:
        return FrameIndex()  # frames that begin within a byte are not addressed one by one
    return FrameIndex(count, pixel_data.offset, size + (rest > 0))


def _extended_offsets(header: Header) -> bool:
    """Return whether the instance has an Extended Offset Table, whose frames are of one fragment each."""
    return "7FE00001" in header.json


def _encapsulated(pixel_data: PixelData, count: int, one_each: bool) -> tuple[Spans, ...]:
    """Return the spans of each encapsulated frame."""
    fragments = pixel_data.fragments
    if len(fragments) < count:
        raise Rejected("dimensions", f"{count} frames declared, {len(fragments)} fragments present")
    if count == 1:
        return (fragments,)
    if len(fragments) == count or one_each:
        return tuple((fragment,) for fragment in fragments[:count])
    return _by_offsets(fragments, pixel_data.offsets, count)


def _by_offsets(fragments: Spans, offsets: Sequence[int], count: int) -> tuple[Spans, ...]:
    """Return the spans of frames of several fragments each, by the Basic Offset Table."""
    if len(offsets) != count or list(offsets) != sorted(set(offsets)):
        raise Rejected("dimensions", f"{len(fragments)} fragments for {count} frames without a table of offsets")
    first = fragments[0][0] - 8
    starts = [offset - 8 - first for offset, _ in fragments]
    frames: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for start, fragment in zip(starts, fragments, strict=True):
        place = bisect_right(offsets, start) - 1
        if place < 0:
            raise Rejected("dimensions", "the table of offsets begins after the first fragment")
        frames[place].append(fragment)
    if not all(frames):
        raise Rejected("dimensions", "the table of offsets names a place without a fragment")
    return tuple(tuple(frame) for frame in frames)
