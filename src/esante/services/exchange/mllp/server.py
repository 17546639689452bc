"""The listener of MLLP: connections within bounds, each message answered before the next is read."""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from cryptography import x509

from esante.services.exchange.mllp.frames import BadFrame, Deframer, frame

_LOG = logging.getLogger(__name__)
_PIECE = 256 * 1024

Answer = Callable[[UUID, str, bytes], Awaitable[bytes]]
"""The organisation, the address that it came from, and what came in a frame; returns what goes back in one."""
WhoseCertificate = Callable[[x509.Certificate], Awaitable[UUID | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the listener: connections in all and of an address, bytes of a message, seconds.

    `idle_seconds`: between messages; `message_seconds`: for a message that has begun; `at_once`: messages in memory.
    """

    connections: int = 200
    per_address: int = 20
    message_bytes: int = 32 * 1024 * 1024
    idle_seconds: float = 600
    message_seconds: float = 60
    at_once: int = 8


@dataclass(slots=True)
class MllpServer:
    """Serves MLLP; `organization_id`: whose messages come without a client certificate; None: nobody's."""

    answer: Answer
    owner: WhoseCertificate
    organization_id: UUID | None = None
    limits: Limits = field(default_factory=Limits)
    _by_address: Counter[str] = field(default_factory=Counter)
    _turns: asyncio.Semaphore | None = None

    async def start(self, host: str, port: int, context: ssl.SSLContext | None) -> asyncio.Server:
        """Begin to listen."""
        self._turns = asyncio.Semaphore(self.limits.at_once)
        return await asyncio.start_server(self._serve, host, port, ssl=context, limit=_PIECE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str((writer.get_extra_info("peername") or ("",))[0])
        if self._by_address.total() >= self.limits.connections or self._by_address[address] >= self.limits.per_address:
            _LOG.warning("a connection was refused: there are too many")
            writer.close()
            return
        self._by_address[address] += 1
        try:
            organization_id = await self._sender(writer)
            if organization_id is not None:
                await self._converse(organization_id, address, reader, writer)
        except (BadFrame, TimeoutError, ConnectionError, ssl.SSLError) as error:
            _LOG.info("a connection ended: %s", error if isinstance(error, BadFrame) else type(error).__name__)
        finally:
            self._by_address[address] -= 1
            self._by_address += Counter()  # drops those at zero
            writer.close()

    async def _sender(self, writer: asyncio.StreamWriter) -> UUID | None:
        """Return whose connection it is: of the organisation of its certificate, None for nobody's."""
        tls = writer.get_extra_info("ssl_object")
        if tls is None:
            return self.organization_id
        der = tls.getpeercert(binary_form=True)
        found = await self.owner(x509.load_der_x509_certificate(der)) if der else None
        if found is None:
            _LOG.warning("a connection was refused: its certificate is not registered")
        return found

    async def _converse(
        self, organization_id: UUID, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer message after message until the other side ends. Raises: `BadFrame`, `TimeoutError`."""
        deframer = Deframer(self.limits.message_bytes)
        loop = asyncio.get_running_loop()
        end = loop.time() + self.limits.message_seconds
        while True:
            was_between = deframer.is_between
            wait = self.limits.idle_seconds if was_between else end - loop.time()
            async with asyncio.timeout(max(0, wait)):
                data = await reader.read(_PIECE)
            if not data:
                return
            if was_between:
                end = loop.time() + self.limits.message_seconds
            for message in deframer.feed(data):
                await self._exchange(organization_id, address, message, writer)
                end = loop.time() + self.limits.message_seconds

    async def _exchange(
        self, organization_id: UUID, address: str, message: bytes, writer: asyncio.StreamWriter
    ) -> None:
        assert self._turns is not None
        async with self._turns:
            writer.write(frame(await self.answer(organization_id, address, message)))
        async with asyncio.timeout(self.limits.message_seconds):
            await writer.drain()
