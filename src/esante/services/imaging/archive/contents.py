"""The bytes of instances in the object store."""

from collections.abc import AsyncIterator

from esante.core.storage import Objects, Piece
from esante.services.imaging.ingest.frames import Spans
from esante.services.imaging.model import Instance

CHUNK = 1024 * 1024
"""Bytes that are read, and in memory, at a time."""


class Contents:
    """Reads parts of instances, as they were received."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def stream(self, instance: Instance, spans: Spans) -> AsyncIterator[Piece]:
        """Yield the bytes of some spans of an instance. Raises: ValueError for a span that is not within it."""
        for offset, length in spans:
            if offset < 0 or length < 0 or offset + length > instance.size:
                raise ValueError("a span is not within the instance")
        for offset, length in spans:
            position, end = offset, offset + length
            while position < end:
                size = min(CHUNK, end - position)
                yield await self._objects.get_range(instance.object_name, instance.object_offset + position, size)
                position += size

    async def read(self, instance: Instance, spans: Spans) -> bytes:
        """Return the bytes of some spans of an instance."""
        return b"".join([piece async for piece in self.stream(instance, spans)])
