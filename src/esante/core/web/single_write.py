"""A transport that sends the head and the body of a response in one write.

uvicorn writes them one after the other. Each write is a system call and wakes the client, which together cost more
than building a small response.
"""

import asyncio
from typing import Any

BUFFER_BYTES = 256 * 1024
"""Bytes that are buffered at most until the end of a turn of the event loop."""


class CoalescingTransport:
    """A transport that sends all data written in one turn of the event loop at once; all else is passed through."""

    __slots__ = ("_buffer", "_loop", "_size", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self.is_closing = transport.is_closing
        self._buffer: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send `data` at the end of this turn of the event loop, after what was written before."""
        if not self._buffer:
            self._loop.call_soon(self._flush)
        self._buffer.append(data)
        self._size += len(data)
        if self._size > BUFFER_BYTES:
            self._flush()

    def close(self) -> None:
        """Send what is buffered, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._buffer:
            buffer, self._buffer, self._size = self._buffer, [], 0
            self._transport.writelines(buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
