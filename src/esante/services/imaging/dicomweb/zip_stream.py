"""A ZIP file, not compressed, that is sent while it is written."""

import zipfile
from collections.abc import AsyncIterator
from datetime import datetime

_ZIP64 = 2**31 - 1


class ZipStream:
    """Writes entries one after the other; holds no more than a piece of one in memory."""

    def __init__(self) -> None:
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_STORED)  # type: ignore[call-overload]

    async def add(self, name: str, at: datetime, size: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the bytes of an entry of `size` bytes."""
        info = zipfile.ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
        info.file_size = size
        with self._archive.open(info, "w", force_zip64=size >= _ZIP64) as entry:
            async for piece in pieces:
                entry.write(piece)
                yield self._sink.take()
        yield self._sink.take()

    def end(self) -> bytes:
        """Return the last bytes: the list of the entries."""
        self._archive.close()
        return self._sink.take()


class _Sink:
    """A file that is written to and emptied: what `zipfile` needs of one that cannot be sought in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
