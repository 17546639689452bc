"""Compression in segments."""

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st

from esante.services.export.segments import gzip_segments

LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8)


@given(st.lists(LINES, max_size=6))
def test_concatenated_segments_are_one_gzip_member(drawn):
    packed = [gzip_segments.compress_lines(lines) for lines in drawn]
    head = gzip_segments.GZIP_HEADER + b"".join(stored for _, _, stored in packed)
    end = gzip_segments.gzip_trailer((size, crc) for size, crc, _ in packed)
    assert len(end) == gzip_segments.TRAILER_SIZE
    text = b"".join(line + b"\n" for lines in drawn for line in lines)
    assert gzip.decompress(head + end) == text
    first = zlib.decompressobj(31)  # as clients do that stop after one member
    assert first.decompress(head + end) == text
    assert first.eof
    assert first.unused_data == b""
    assert b"".join(gzip_segments.decompress_segment(stored, crc) for _, crc, stored in packed) == text


@given(LINES, st.integers(0), st.integers(1, 255))
def test_damaged_segment_never_yields_other_bytes(lines, place, change):
    _size, crc, stored = gzip_segments.compress_lines(lines)
    damaged = bytearray(stored)
    damaged[place % len(damaged)] ^= change
    try:
        assert gzip_segments.decompress_segment(bytes(damaged), crc) == gzip_segments.decompress_segment(stored, crc)
    except ValueError:
        return
