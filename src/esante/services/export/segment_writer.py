"""Lines gathered for a while, then written as segments: bounded in memory, and on disk before any row names them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from esante.core.storage import Objects
from esante.services.export.gzip_segments import pack
from esante.services.export.model import Job, Line, Segment
from esante.services.export.patient_sections import Piece
from esante.services.record import View

BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of lines after which they are written."""


@dataclass
class Taken:
    """What went into the export of one person: what was seen of her, the categories, how many resources."""

    view: View
    categories: set[str] = field(default_factory=set)
    count: int = 0


class Batch:
    """Lines that are not written yet, by kind and type, and whose they are."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._lines: dict[tuple[str, str], list[bytes]] = {}
        self._size = 0
        self.persons: list[Taken] = []
        for line in lines:
            self._add(line)

    @property
    def full(self) -> bool:
        """Whether it is time to write."""
        return self._size >= BATCH_BYTES

    def add(self, piece: Piece) -> None:
        """Take the lines of a piece."""
        if not piece.lines:
            return
        if not self.persons or self.persons[-1].view.person_id != piece.view.person_id:
            self.persons.append(Taken(piece.view))
        taken = self.persons[-1]
        taken.categories |= {line.category for line in piece.lines if line.category}
        taken.count += len(piece.lines)
        for line in piece.lines:
            self._add(line)

    async def write(self, objects: Objects, job: Job) -> list[Segment]:
        """Write all lines as segments of a job, numbered on from its last one; they are on disk after this."""
        segments: list[Segment] = []
        for (kind, type_), lines in self._lines.items():
            number = job.segments + len(segments)
            size, crc, stored = await asyncio.to_thread(pack, lines)
            await objects.put_named(segment_name(job, number), stored)
            segments.append(Segment(number, kind, type_, len(lines), size, crc, len(stored)))
        return segments

    def _add(self, line: Line) -> None:
        self._lines.setdefault((line.kind, line.type), []).append(line.body)
        self._size += len(line.body) + 1


def segment_name(job: Job, number: int) -> str:
    """Where a segment lies in the object store."""
    return f"{job.folder}/{number}"
