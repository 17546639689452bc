"""A ZIP that is written while it is sent: it is never whole in memory or on disk."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from esante.core.time_zone import time_zone

CHUNK_BYTES = 1024 * 1024
_ZIP64_BYTES = 1 << 31
"""The size from which an entry of a ZIP needs the ZIP64 format."""
Chunks = AsyncIterator[bytes]


class UniqueNames:
    """Names of files, each different from the others on every system."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def of(self, name: str) -> str:
        """Return the name, with a number where it was given before."""
        self._counts[name.casefold()] += 1
        if (count := self._counts[name.casefold()]) == 1:
            return name
        stem, dot, extension = name.rpartition(".")
        return f"{stem} ({count}){dot}{extension}"


class ZipStream:
    """A ZIP whose bytes are returned while it is written."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._zip = ZipFile(self, "w", ZIP_DEFLATED)  # type: ignore[call-overload]  # needs `write` and `flush` only

    def write(self, data: bytes) -> int:
        """Buffer bytes of the ZIP (called by `ZipFile`)."""
        self._buffer += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is no buffer behind this one (called by `ZipFile`)."""

    async def add(self, entry: ZipInfo, size: int, content: Chunks) -> Chunks:
        """Add an entry of about `size` bytes; yield the bytes of the ZIP as far as it is written."""
        with self._zip.open(entry, "w", force_zip64=size >= _ZIP64_BYTES) as member:
            async for chunk in content:
                await asyncio.to_thread(member.write, chunk)
                yield self._take_buffer()
        yield self._take_buffer()

    def add_text(self, name: str, at: datetime, paragraphs: Sequence[str]) -> Chunks:
        """Add a text file, with line ends that every system shows."""
        content = "\r\n\r\n".join([*paragraphs, ""]).encode()
        return self.add(zip_entry(name, at), len(content), chunks_of(content))

    def close(self) -> bytes:
        """Finish the ZIP and return its last bytes."""
        self._zip.close()
        return self._take_buffer()

    def _take_buffer(self) -> bytes:
        written = bytes(self._buffer)
        self._buffer.clear()
        return written


def zip_entry(name: str, at: datetime) -> ZipInfo:
    """Return a compressed entry of a ZIP with a name and a time."""
    entry = ZipInfo(name, at.astimezone(time_zone()).timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


async def chunks_of(content: bytes) -> Chunks:
    """Yield the parts of some bytes."""
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]
