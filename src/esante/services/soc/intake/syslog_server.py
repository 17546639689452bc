"""Syslog over TLS (RFC 5425) and TCP (RFC 6587).

A sender is known by its client certificate, or by the key that the structured data of its first message carry:
`[esante@32473 key="..."]` (32473 is the number for examples, RFC 5612). Keys are taken out before anything is stored.
Syslog has no acknowledgement: a connection is read no further than a bounded distance ahead of what is stored.
"""

import asyncio
import logging
import re
from typing import cast

from esante.core import clock
from esante.services.soc.intake.frames import FrameReader
from esante.services.soc.intake.model import Broken, Delivery, Message
from esante.services.soc.intake.pipeline import Pipeline
from esante.services.soc.sources.valid_keys import Sender, ValidKeys

AHEAD_BYTES = 512 << 10
"""Bytes of a connection that are read and not stored."""
FIRST_SECONDS = 15.0
"""Within which the first message must come where there is no certificate."""
MESSAGE_SECONDS = 60.0
"""Within which a message that has begun must be complete."""
CHECK_SECONDS = 1.0
SPACE_SECONDS = 0.1
_ELEMENT = re.compile(rb'\[esante@32473((?: [^ =\]"]{1,32}="[^"\]]*"){1,4})\]')
_KEY = re.compile(rb' key="([A-Za-z0-9_-]{1,100})"')
_MARK = b"[esante@32473 "
log = logging.getLogger(__name__)


class SyslogServer:
    """The connections of a process; `keep_checking` must run beside them."""

    def __init__(self, pipeline: Pipeline, keys: ValidKeys) -> None:
        self.pipeline, self.keys = pipeline, keys
        self.connections: set[SyslogConnection] = set()

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return SyslogConnection(self)

    async def keep_checking(self) -> None:
        """Close connections whose key no longer works, and those that are too slow, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for connection in [*self.connections]:
                connection.check()

    def close(self) -> None:
        """Read no more of any connection."""
        for connection in [*self.connections]:
            connection.close("the intake ends")


class SyslogConnection(asyncio.Protocol):
    """A connection: its frames become messages, which are handed to the pipeline as far as there is space."""

    def __init__(self, server: SyslogServer) -> None:
        self._server = server
        self._frames = FrameReader()
        self._sender: Sender | None = None
        self._ahead = 0
        self._is_paused = False
        self._began = 0.0
        self._message_began: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Recognise the sender by its certificate, where it has one."""
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._server.connections.add(self)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and (certificate := tls.getpeercert(binary_form=True)):
            self._sender = self._server.keys.of_certificate(certificate)
            if self._sender is None:
                self.close("its certificate is not registered, or no longer works")

    def data_received(self, data: bytes) -> None:
        """Take messages from what came."""
        if self._transport.is_closing():
            return
        messages = self._frames.feed(data)
        if not self._frames.pending:
            self._message_began = None
        elif messages or self._message_began is None:
            self._message_began = self._loop.time()
        self._take(messages)

    def eof_received(self) -> bool:
        """Take the last message, which may lack its line feed."""
        if not self._transport.is_closing():
            self._take(self._frames.finish())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; what was handed over is stored all the same."""
        self._server.connections.discard(self)

    def check(self) -> None:
        """Close the connection when its key no longer works, or it is too slow."""
        now = self._loop.time()
        if self._sender is not None:
            if self._server.keys.are_fresh and self._server.keys.current(self._sender.key_id) is None:
                self.close("its key no longer works")
        elif now - self._began > FIRST_SECONDS:
            self.close("no message came in time")
        if self._message_began is not None and not self._is_paused and now - self._message_began > MESSAGE_SECONDS:
            self.close("a message was not completed in time")

    def close(self, reason: str) -> None:
        """Close the connection."""
        if not self._transport.is_closing():
            peer = self._transport.get_extra_info("peername") or ("",)
            log.warning("syslog connection of %s is closed: %s", peer[0], reason)
            self._transport.abort()

    def _take(self, messages: list[Message]) -> None:
        if not messages:
            return
        if self._sender is None:
            self._sender = self._authenticated(messages[0])
            if self._sender is None:
                self.close("its first message has no key that works")
                return
        sender = self._sender
        delivery = Delivery(
            sender.tenant_id, sender.source_id, sender.quota, [*map(without_key, messages)], clock.now()
        )
        self._ahead += delivery.size
        delivery.done.add_done_callback(lambda _: self._stored(delivery.size))
        self._server.pipeline.deliver(delivery)
        if self._ahead > AHEAD_BYTES or not self._server.pipeline.has_space(sender.tenant_id):
            self._pause()

    def _authenticated(self, message: Message) -> Sender | None:
        head = message if isinstance(message, bytes) else message.head
        if (element := _ELEMENT.search(head)) and (key := _KEY.search(element[1])):
            return self._server.keys.of_secret(key[1].decode())
        return None

    def _stored(self, size: int) -> None:
        self._ahead -= size
        if self._is_paused:
            self._resume()

    def _pause(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()
            self._look_again()

    def _resume(self) -> None:
        """Read on where there is space."""
        if self._transport.is_closing() or self._sender is None:
            return
        if self._ahead <= AHEAD_BYTES // 2 and self._server.pipeline.has_space(self._sender.tenant_id):
            self._is_paused = False
            if self._message_began is not None:
                self._message_began = self._loop.time()
            self._transport.resume_reading()

    def _look_again(self) -> None:
        """Look for space again and again: others of the member may have made some."""
        self._resume()
        if self._is_paused and not self._transport.is_closing():
            self._loop.call_later(SPACE_SECONDS, self._look_again)


def without_key(message: Message) -> Message:
    """Return a message without the key that its structured data may carry."""
    if isinstance(message, Broken):
        return Broken(without(message.head), message.reason)
    return without(message) if _MARK in message else message


def without(text: bytes) -> bytes:
    """Return a syslog message without the element of the key; `-` where no other element is left."""
    found = _ELEMENT.search(text)
    if found is None:
        return text
    before, after = text[: found.start()], text[found.end() :]
    alone = before.endswith(b" ") and not after.startswith(b"[")
    return without(before + (b"-" if alone else b"") + after)
