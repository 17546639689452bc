"""Collect lines and write them as segments: bounded in memory, and stored before any row names them."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from esante.core.storage import Objects
from esante.services.export.model import Job, Line, Segment
from esante.services.export.segments.gzip_segments import compress_lines
from esante.services.export.segments.patient_sections import SectionPage
from esante.services.record import View

BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of lines after which they are written."""


@dataclass
class PersonCopy:
    """What went into an export of one person: the view used, the categories of data, the number of resources."""

    view: View
    categories: set[str] = field(default_factory=set)
    count: int = 0


class Batch:
    """Lines that are not written yet, by kind and type, and the persons they are about."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._lines: dict[tuple[str, str], list[bytes]] = {}
        self._size = 0
        self.persons: list[PersonCopy] = []
        for line in lines:
            self._add(line)

    @property
    def full(self) -> bool:
        """Whether it is time to write."""
        return self._size >= BATCH_BYTES

    def add(self, page: SectionPage) -> None:
        """Add the lines of a page."""
        if not page.lines:
            return
        if not self.persons or self.persons[-1].view.person_id != page.view.person_id:
            self.persons.append(PersonCopy(page.view))
        copy = self.persons[-1]
        copy.categories |= {line.category for line in page.lines if line.category}
        copy.count += len(page.lines)
        for line in page.lines:
            self._add(line)

    async def write(self, objects: Objects, job: Job) -> list[Segment]:
        """Write all lines as segments of a job, numbered after its last one; they are durable on return."""
        segments: list[Segment] = []
        for (kind, type_), lines in self._lines.items():
            number = job.segments + len(segments)
            size, crc, stored = await asyncio.to_thread(compress_lines, lines)
            await objects.put_named(segment_name(job, number), stored)
            segments.append(Segment(number, kind, type_, len(lines), size, crc, len(stored)))
        return segments

    def _add(self, line: Line) -> None:
        self._lines.setdefault((line.kind, line.type), []).append(line.body)
        self._size += len(line.body) + 1


def segment_name(job: Job, number: int) -> str:
    """Return the name of a segment in the object store."""
    return f"{job.folder}/{number}"
