"""Compression of NDJSON in segments that together are one gzip file, without rewriting their bytes.

Each segment is deflated by itself and ends at a byte boundary (a sync flush). The segments one after the other are a
deflate stream once a last block is appended, and only the checksum of the whole has to be combined from the checksums
of the segments. A file of several gzip members would be simpler, but many HTTP clients stop after the first member.

Source: RFC 1951, section 3.2; RFC 1952, section 2.3; for the combined checksum M. Adler, zlib's crc32_combine.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence

COMPRESSION_LEVEL = 3
"""Higher levels cost seconds and save a few percent."""
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Header of a gzip file: deflate, no name, no time."""
_LAST_BLOCK = b"\x03\x00"
"""A last block of deflate without content."""
TRAILER_SIZE = len(_LAST_BLOCK) + 8
"""Bytes of what `gzip_trailer` returns."""
_RAW = -zlib.MAX_WBITS
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
"""The polynomial 1, with the bits in the order of CRC-32."""
_BYTE = 1 << 23
"""The polynomial x^8, with the bits in the order of CRC-32."""


def compress_lines(lines: Sequence[bytes]) -> tuple[int, int, bytes]:
    """Compress lines (without line ends) as NDJSON.

    Returns the size of the NDJSON in bytes, its CRC-32, and the segment.
    """
    text = b"\n".join([*lines, b""])
    compressor = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _RAW)
    return len(text), zlib.crc32(text), compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)


def decompress_segment(segment: bytes, crc: int) -> bytes:
    """Return the NDJSON of a segment. Raises: ValueError when the segment is damaged."""
    try:
        text = zlib.decompressobj(_RAW).decompress(segment)
    except zlib.error as error:
        raise ValueError("an export segment cannot be decompressed: the stored object is damaged") from error
    if zlib.crc32(text) != crc:
        raise ValueError("an export segment does not have its CRC-32: the stored object is damaged")
    return text


def gzip_trailer(parts: Iterable[tuple[int, int]]) -> bytes:
    """Return the end of a gzip file of segments; `parts`: size in bytes and CRC-32 of each."""
    crc, size = 0, 0
    for part_size, part_crc in parts:
        crc, size = _multiply(_shift(part_size), crc) ^ part_crc, size + part_size
    return _LAST_BLOCK + struct.pack("<II", crc, size & 0xFFFFFFFF)


def _shift(size: int) -> int:
    """Return the factor x^(8 * size) by which a CRC-32 is multiplied when `size` bytes follow."""
    result, square = _ONE, _BYTE
    while size:
        if size & 1:
            result = _multiply(square, result)
        size >>= 1
        square = _multiply(square, square)
    return result


def _multiply(one: int, other: int) -> int:
    """Return the product of two polynomials modulo the polynomial of CRC-32."""
    product = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product
