"""The bytes of instances in the object store."""

import asyncio
import os
from collections.abc import AsyncIterator

from esante.core.storage import Objects, Unavailable
from esante.services.imaging.archive.remote import Held, RemoteInstances
from esante.services.imaging.ingest.frames import Spans
from esante.services.imaging.model import Instance

CHUNK = 1024 * 1024
"""Bytes that are read, and in memory, at a time."""


class Contents:
    """Reads parts of instances, as they were received."""

    def __init__(self, objects: Objects, remote: RemoteInstances | None = None) -> None:
        self._objects, self._remote = objects, remote

    async def hold(self, instance: Instance) -> Held:
        """Return an instance of another archive with its bytes. Raises: Problem 503."""
        if self._remote is None:
            raise Unavailable("there is no access to other archives")
        return await self._remote.hold(instance)

    async def resolved(self, instance: Instance) -> Instance:
        """Return an instance with its size and transfer syntax, which of one elsewhere are found in its bytes."""
        return (await self.hold(instance)).instance if instance.is_remote else instance

    async def stream(self, instance: Instance, spans: Spans) -> AsyncIterator[bytes]:
        """Yield the bytes of some spans of an instance; one elsewhere must be as `resolved` returned it.

        Raises: ValueError for a span that is not within it; Problem 503.
        """
        if not instance.size:
            raise ValueError("an instance elsewhere is resolved before it is read")
        for offset, length in spans:
            if offset < 0 or length < 0 or offset + length > instance.size:
                raise ValueError("a span is not within the instance")
        held = await self.hold(instance) if instance.is_remote else None
        for offset, length in spans:
            position, end = offset, offset + length
            while position < end:
                size = min(CHUNK, end - position)
                if held is None:
                    yield await self._objects.get_range(instance.object_name, instance.object_offset + position, size)
                else:
                    yield await asyncio.to_thread(os.pread, held.file.fileno(), size, position)
                position += size

    async def read(self, instance: Instance, spans: Spans) -> bytes:
        """Return the bytes of some spans of an instance."""
        return b"".join([piece async for piece in self.stream(instance, spans)])
