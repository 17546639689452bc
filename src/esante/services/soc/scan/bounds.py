"""What a file of events may cost, and how what is wrong with one is named."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

MAX_LINE = 16 << 20
"""Bytes of one event."""
MAX_DOCUMENT = 512 << 20
"""Bytes of a file that is one JSON document."""
MAX_UNPACKED = 4 << 30
"""Bytes that a ZIP file may unpack to, all in all."""
MAX_RATIO, RATIO_FROM = 300, 64 << 20
"""How much larger than in the archive a file may be, from this number of bytes on."""
MAX_ENTRIES = 10_000
MAX_FAULTS = 100
"""Faults of one file that are listed; the others are counted."""


@dataclass(frozen=True, slots=True)
class EventFault:
    """What could not be read: the file, the place in it, why, and what to do."""

    file: str
    place: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}{f' ({self.place})' if self.place else ''}: {self.reason}; {self.remedy}"


class Unreadable(Exception):
    """A file, or the rest of it, that cannot be read."""

    def __init__(self, reason: str, remedy: str, place: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.place = reason, remedy, place


def unpacked(file: IO[bytes], packed: int, budget: list[int]) -> Iterator[bytes]:
    """Yield the bytes of a file of an archive that takes `packed` bytes there, and take them from the budget.

    Raises: `Unreadable` when it grows beyond all measure.
    """
    size = 0
    while data := file.read(1 << 20):
        size += len(data)
        budget[0] -= len(data)
        if budget[0] < 0:
            raise Unreadable(f"unpacks to more than {MAX_UNPACKED >> 30} GiB", "divide the archive")
        if size > RATIO_FROM and size > MAX_RATIO * packed:
            raise Unreadable(f"unpacks to more than {MAX_RATIO} times its size", "give the file unpacked")
        yield data
