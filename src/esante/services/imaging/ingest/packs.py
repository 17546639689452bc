"""Files in which the instances of an upload are collected, one for each study: what is stored is synced once.

An instance is written at the end of a file while it comes in. If it is not taken in, the file is cut there again; if
it is of another study than the file, it is copied to the file of that study.
"""

import hashlib
import os
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from typing import IO

from esante.core.storage import Objects, Unavailable, uuid7
from esante.services.imaging.ingest.frames import FrameIndex, frame_index
from esante.services.imaging.ingest.header import Header, read_header
from esante.services.imaging.ingest.limits import Rejected

_COPY = 1024 * 1024


class Pack:
    """A file of instances; `name`: under which it will be stored, `offset`: where the next instance begins.

    `is_scratch`: it will never be stored.

    Each begins at the start of a page of memory, so that it can be mapped by itself.
    """

    def __init__(self, objects: Objects, *, is_scratch: bool = False) -> None:
        key = uuid7().hex
        self.name = f"dicom/{key[-2:]}/{key}"
        self.file: IO[bytes] = objects.scratch() if is_scratch else objects.incoming()
        self.offset = 0
        self._is_stored = False

    def keep(self, size: int) -> int:
        """Keep the instance of so many bytes that was written last; return where it begins."""
        begin = self.offset
        self.offset = -(-(begin + size) // ALLOCATIONGRANULARITY) * ALLOCATIONGRANULARITY
        self.file.seek(self.offset)
        return begin

    async def store(self, objects: Objects) -> None:
        """Store the file, synced; once is enough."""
        if not self._is_stored:
            await objects.put_file(self.name, self.file)
            self._is_stored = True

    def cut(self) -> None:
        """Forget what was written after the last instance that was kept."""
        self.file.seek(self.offset)
        self.file.truncate()

    def close(self) -> None:
        """Close the file; what was not stored is gone."""
        self.file.close()


class Part:
    """An instance that is being written at the end of a pack; `size` in bytes so far."""

    def __init__(self, pack: Pack, most: int) -> None:
        self.pack, self.offset, self.size = pack, pack.offset, 0
        self._most, self._hash = most, hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Write bytes; those beyond the largest size are dropped. Raises: `Unavailable` when the disk is full."""
        self.size += len(data)
        self._hash.update(data)
        if self.size <= self._most:
            write(self.pack.file, data)

    @property
    def sha256(self) -> bytes:
        """The SHA-256 of the bytes so far."""
        return self._hash.digest()

    def read(self) -> tuple[Header, FrameIndex]:
        """Return the header and the index of frames. Raises: `Rejected`."""
        if self.size > self._most:
            raise Rejected("too-large", f"{self.size:,} bytes, {self._most:,} are allowed")
        if self.size == 0:
            raise Rejected("not-dicom")
        self.pack.file.flush()
        with mmap(self.pack.file.fileno(), self.size, access=ACCESS_READ, offset=self.offset) as mapped:
            header = read_header(mapped, self.size)
        return header, frame_index(header)

    def moved_to(self, pack: Pack) -> None:
        """Note that the bytes are at the end of another pack now."""
        self.pack, self.offset = pack, pack.offset

    def copy_to(self, target: IO[bytes]) -> None:
        """Copy the bytes to the end of another file. Raises: `Unavailable` when the disk is full."""
        self.pack.file.flush()
        left, position = min(self.size, self._most), self.offset
        while left > 0:
            piece = os.pread(self.pack.file.fileno(), min(_COPY, left), position)
            write(target, piece)
            left, position = left - len(piece), position + len(piece)


def write(file: IO[bytes], data: bytes) -> None:
    """Write bytes to a file. Raises: `Unavailable` when the disk is full."""
    try:
        file.write(data)
    except OSError as error:
        raise Unavailable(f"cannot write an upload: {error.strerror}") from error
