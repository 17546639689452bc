"""NDJSON compressed in segments that can be sent as one gzip file, without touching their bytes again.

Each segment is deflated by itself and ends at a byte boundary (a sync flush), so segments one after the other are a
deflate stream once an end is put to it. Only the check sum of the whole has to be made of those of the segments. Gzip
members one after the other would be simpler, but many HTTP clients stop after the first.

Source: RFC 1951, section 3.2; RFC 1952, section 2.3; for the combined sum M. Adler, zlib's crc32_combine.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence

LEVEL = 3
"""Of compression: beyond it, seconds are paid for a few percent."""
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Of a gzip file: deflate, no name, no time."""
_END = b"\x03\x00"
"""A last block of deflate without content."""
TAIL_SIZE = len(_END) + 8
_RAW = -zlib.MAX_WBITS
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
_BYTE = 1 << 23
"""The polynomials 1 and x^8, with the bits in the order of CRC-32."""


def pack(lines: Sequence[bytes]) -> tuple[int, int, bytes]:
    """Lines as NDJSON, each with its end: how many bytes, their CRC-32, and the segment."""
    text = b"\n".join([*lines, b""])
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
    return len(text), zlib.crc32(text), packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)


def unpack(segment: bytes, crc: int) -> bytes:
    """The lines of a segment. Raises ValueError when it is damaged."""
    try:
        text = zlib.decompressobj(_RAW).decompress(segment)
    except zlib.error as error:
        raise ValueError("a segment of an export is damaged") from error
    if zlib.crc32(text) != crc:
        raise ValueError("a segment of an export is damaged")
    return text


def tail(parts: Iterable[tuple[int, int]]) -> bytes:
    """The end of a gzip file of segments, from the size and the CRC-32 of each."""
    crc, size = 0, 0
    for part_size, part_crc in parts:
        crc, size = _times(_shift(part_size), crc) ^ part_crc, size + part_size
    return _END + struct.pack("<II", crc, size & 0xFFFFFFFF)


def _shift(size: int) -> int:
    """What a CRC-32 is multiplied with when so many bytes follow: x^(8 * size)."""
    result, square = _ONE, _BYTE
    while size:
        if size & 1:
            result = _times(square, result)
        size >>= 1
        square = _times(square, square)
    return result


def _times(one: int, other: int) -> int:
    """The product of two polynomials modulo that of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product
