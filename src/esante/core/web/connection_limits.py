"""Connections that end when a client sends its request too slowly, or headers without end.

uvicorn bounds neither: without this a client could hold connections and memory for as long as it likes.
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from esante.core.web.single_write import Joined

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
BODY_SECONDS = 300.0
"""32 MB at less than 1 Mbit/s."""


class BoundedConnection(HttpToolsProtocol):
    """An HTTP connection whose request must be complete within bounds: its head, then its body."""

    _head: int | None = 0
    """Bytes received of a head that is not complete; None outside a head."""
    _end: float | None = None
    """When the connection is closed, by the clock of the loop."""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(cast("asyncio.Transport", Joined(transport, self.loop)))
        self._close_in(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._close_in(None)
        self._set_timer(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came; a head that is too long ends the connection."""
        super().data_received(data)
        if self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.send_400_response("The headers of this request are too large.")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head = 0
        self._close_in(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """A body begins."""
        self._head = None
        self._close_in(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete; how long the connection may now idle is uvicorn's business."""
        self._close_in(None)
        super().on_message_complete()

    def _close_in(self, seconds: float | None) -> None:
        """Note when to close. A timer that rings too early looks again: for each request a new one would cost more."""
        self._end = None if seconds is None else self.loop.time() + seconds
        if self._end is not None and (self._timer is None or self._timer.when() > self._end):
            self._set_timer(self._end)

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if at is None else self.loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._end is None:
            return
        if self.loop.time() >= self._end:
            self.transport.close()
        else:
            self._set_timer(self._end)
