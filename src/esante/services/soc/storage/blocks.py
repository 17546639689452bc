"""Events compressed together: those of one member that were stored at once, as JSON lines by Zstandard.

Events of a member resemble each other: together they take a fraction of what they take one by one.
"""

from collections.abc import Iterable
from typing import cast

MAX_EVENTS = 1_000
"""Events of a block."""
_SIZE_BYTES = 4


def pack_block(contents: Iterable[bytes]) -> bytes:
    """Return the block of some events, JSON without line breaks each."""
    import pyarrow as pa  # late: it takes memory that a server which keeps no events does not need

    lines = b"\n".join(contents)
    compressed = cast(bytes, pa.Codec("zstd", compression_level=1).compress(lines, asbytes=True))
    return len(lines).to_bytes(_SIZE_BYTES, "little") + compressed


def unpack_block(content: bytes) -> list[bytes]:
    """Return the events of a block, JSON each, in their order."""
    import pyarrow as pa

    size = int.from_bytes(content[:_SIZE_BYTES], "little")
    lines = pa.Codec("zstd").decompress(content[_SIZE_BYTES:], size, asbytes=True)
    return cast(bytes, lines).split(b"\n")
