"""HTTP connections that are closed when a client sends its request too slowly, or too many bytes of headers.

uvicorn limits neither: without this a client could occupy connections and memory without end.
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from esante.core.web.single_write import CoalescingTransport

HEAD_BYTES = 64 * 1024
"""Bytes of a request line and its headers at most."""
HEAD_SECONDS = 20.0
BODY_SECONDS = 300.0
"""Enough for 32 MB at less than 1 Mbit/s."""
BODY_RATE = 128 * 1024
"""Bytes of a body that give it a second more: a large one may take longer, a slow one may not."""


class BoundedConnection(HttpToolsProtocol):
    """An HTTP connection with limits for each request: bytes and seconds of its head, then seconds of its body."""

    _head: int | None = 0
    """Bytes received of an incomplete head; None outside a head."""
    _end: float | None = None
    """When the connection will be closed, by the clock of the event loop; None for no limit."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit for the first head."""
        super().connection_made(cast("asyncio.Transport", CoalescingTransport(transport, self.loop)))
        self._close_in(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._close_in(None)
        self._set_timer(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes received; a head that is too large ends the connection."""
        super().data_received(data)
        if self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.send_400_response("The headers of this request are too large.")

    def on_message_begin(self) -> None:
        """Start the limits of a head."""
        super().on_message_begin()
        self._head = 0
        self._close_in(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """Start the time limit of a body."""
        self._head = None
        self._close_in(BODY_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Extend the time limit by what has come."""
        if self._end is not None:
            self._end += len(body) / BODY_RATE
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the limits; uvicorn limits how long the connection may then be idle."""
        self._close_in(None)
        super().on_message_complete()

    def _close_in(self, seconds: float | None) -> None:
        """Set when to close. A timer that fires too early is set again: cheaper than a new one per request."""
        self._end = None if seconds is None else self.loop.time() + seconds
        if self._end is not None and (self._timer is None or self._timer.when() > self._end):
            self._set_timer(self._end)

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if at is None else self.loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._end is None:
            return
        if self.loop.time() >= self._end:
            self.transport.close()
        else:
            self._set_timer(self._end)
