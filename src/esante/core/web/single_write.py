"""Answers that go in one piece: uvicorn writes the head and the body of one by themselves, and each is a call of the
system and a waking of the client, which together cost more than making either."""

import asyncio
from typing import Any

MOST = 256 * 1024
"""Bytes that are held back until the end of a turn of the loop."""


class Joined:
    """A transport of which all that is written in one turn of the loop goes out together; the rest is as it was."""

    __slots__ = ("_held", "_loop", "_size", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self.is_closing = transport.is_closing
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """Send bytes soon, after those that were written before."""
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST:
            self._send()

    def close(self) -> None:
        """Close when everything is sent."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._held:
            held, self._held, self._size = self._held, [], 0
            self._transport.writelines(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
