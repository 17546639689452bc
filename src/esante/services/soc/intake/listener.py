"""Listening sockets that several processes share, and the connections that each of them takes.

A process with many connections waits a little longer before it takes one more, so that those of a few busy members
are spread evenly. What has not finished its TLS handshake in time is closed.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable

HANDSHAKE_SECONDS = 10.0
MAX_CONNECTIONS = 4_000
"""Connections of a listener in one process."""
MAX_HANDSHAKES = 500
"""Connections that are in their TLS handshake; more wait to be accepted."""
SPREAD_SECONDS, MAX_SPREAD_SECONDS = 0.001, 0.05
BACKLOG = 1_024
log = logging.getLogger(__name__)


def listen(address: str) -> socket.socket:
    """Return a socket that listens at HOST:PORT. Raises: ValueError for no such address, OSError when it is in use."""
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise ValueError(f"{address!r} is no address: write HOST:PORT")
    host = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    listening.setblocking(False)
    return listening


class Listener:
    """Takes connections of a listening socket and hands each to a new protocol."""

    def __init__(
        self, listening: socket.socket, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None
    ) -> None:
        self._listening, self._protocol, self._context = listening, protocol, context
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.BaseTransport] = set()

    async def run(self) -> None:
        """Take connections until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._has_space()
                await _readable(self._listening)
                await asyncio.sleep(min(SPREAD_SECONDS * len(self._open), MAX_SPREAD_SECONDS))
                try:
                    taken, _ = self._listening.accept()
                except (BlockingIOError, InterruptedError):
                    continue  # another process took it
                except OSError as error:
                    log.warning("a connection cannot be accepted: %s", error.strerror)
                    await asyncio.sleep(1)
                    continue
                taken.setblocking(False)
                task = loop.create_task(self._connect(taken))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _has_space(self) -> None:
        while True:
            self._open = {one for one in self._open if not one.is_closing()}
            if len(self._open) < MAX_CONNECTIONS and len(self._tasks) < MAX_HANDSHAKES:
                return
            await asyncio.sleep(0.1)

    async def _connect(self, taken: socket.socket) -> None:
        """Hand a connection over, after its TLS handshake."""
        with contextlib.suppress(OSError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        seconds = HANDSHAKE_SECONDS if self._context else None
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, taken, ssl=self._context, ssl_handshake_timeout=seconds
            )
        except (OSError, ssl.SSLError, ConnectionError, asyncio.CancelledError) as error:
            taken.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            log.info("a connection failed before it began: %s", type(error).__name__)
        else:
            self._open.add(transport)


async def _readable(listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(listening.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(listening.fileno())


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return the context of a server that asks for a client certificate and needs none.

    Registered certificates are trusted one by one (`ValidKeys.trust_in`), whoever issued them (RFC 5425, 4.2).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0  # a sender that only writes leaves them unread, and its close then resets what it sent
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
