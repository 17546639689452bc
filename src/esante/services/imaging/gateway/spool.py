"""A bounded folder of instances that wait to be forwarded: each is a file, synced before it was acknowledged."""

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from esante.core.storage import make_private, uuid7

MAX_FILES = 20_000
"""Instances that wait at most."""
MAX_BYTES = 20 * 1024**3
"""Bytes that wait at most."""
_INCOMING, _REJECTED = "incoming", "rejected"
MAX_REJECTED = 1_000
"""Files of instances that the platform did not take in which are kept; the oldest go first."""


class SpoolFull(Exception):
    """No further instance can wait."""


class Spool:
    """Instances that wait; used by the threads of associations and by the forwarder.

    `most_files` and `most_bytes`: bounds. The names of files are made here, and never of what a device sends.
    `incoming`: a folder for what is not complete yet.
    """

    def __init__(self, folder: Path, most_files: int = MAX_FILES, most_bytes: int = MAX_BYTES) -> None:
        self._folder, self._most_files, self._most_bytes = folder, most_files, most_bytes
        make_private(folder)
        (folder / _REJECTED).mkdir(exist_ok=True)
        self.incoming = folder / _INCOMING
        self.incoming.mkdir(exist_ok=True)
        for left in (*folder.glob("*.part"), *self.incoming.iterdir()):
            left.unlink()
        self._lock = threading.Lock()
        sizes = [path.stat().st_size for path in folder.glob("*.dcm")]
        self._files, self._bytes = len(sizes), sum(sizes)
        self._arrived = threading.Event()

    def add(self, source: Path) -> None:
        """Add a copy of a file, synced. Raises: `SpoolFull` beyond the bounds or when the disk is full."""
        size = source.stat().st_size
        with self._lock:
            if self._files >= self._most_files or self._bytes + size > self._most_bytes:
                raise SpoolFull
            self._files, self._bytes = self._files + 1, self._bytes + size
        part = self._folder / f"{uuid7().hex}.part"
        try:
            self._write(part, source)
        except OSError as error:
            part.unlink(missing_ok=True)
            self._forget(size)
            raise SpoolFull from error
        self._arrived.set()

    def batch(self, most_files: int, most_bytes: int) -> list[Path]:
        """Return the files that have waited longest, within bounds, at least one where any waits."""
        self._arrived.clear()
        found: list[Path] = []
        size = 0
        for path in sorted(self._folder.glob("*.dcm")):
            size += path.stat().st_size
            if found and (len(found) >= most_files or size > most_bytes):
                break
            found.append(path)
        return found

    def remove(self, paths: Sequence[Path]) -> None:
        """Remove files that were taken in."""
        for path in paths:
            self._forget(path.stat().st_size)
            path.unlink()

    def reject(self, path: Path) -> None:
        """Set a file aside that the platform did not take in."""
        self._forget(path.stat().st_size)
        path.rename(self._folder / _REJECTED / path.name)
        for oldest in sorted((self._folder / _REJECTED).iterdir())[:-MAX_REJECTED]:
            oldest.unlink()

    def wait(self, seconds: float) -> None:
        """Wait until an instance has arrived, at most so long."""
        self._arrived.wait(seconds)

    def wake(self) -> None:
        """End the waiting."""
        self._arrived.set()

    def _write(self, part: Path, source: Path) -> None:
        with part.open("wb") as file, source.open("rb") as data:
            shutil.copyfileobj(data, file)
            file.flush()
            os.fsync(file.fileno())
        part.rename(part.with_suffix(".dcm"))
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _forget(self, size: int) -> None:
        with self._lock:
            self._files, self._bytes = self._files - 1, self._bytes - size
