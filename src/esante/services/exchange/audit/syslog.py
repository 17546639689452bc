"""Sends audit messages to a repository: syslog (RFC 5424) over TLS (RFC 5425), as IHE ITI-20 has it."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

SECONDS = 10
SETTLE_SECONDS = 0.3
"""How long after the last message a connection must stand."""
_PRIORITY = 10 * 8 + 5
"""Facility 10 (security), severity 5 (notice)."""
_BOM = b"\xef\xbb\xbf"


class RepositoryAway(Exception):
    """The audit record repository cannot be reached, or does not take messages."""


@dataclass(frozen=True, slots=True)
class Repository:
    """An audit record repository. `host`: this machine, as messages name it."""

    address: str
    port: int
    host: str
    context: ssl.SSLContext | None = field(repr=False)

    async def send(self, messages: Iterable[tuple[datetime, bytes]]) -> None:
        """Send messages with their times over one connection; it is closed in order before this returns.

        Raises: `RepositoryAway`.
        """
        try:
            await self._send(messages)
        except (OSError, TimeoutError) as error:
            raise RepositoryAway(f"{self.address}:{self.port}: {type(error).__name__}") from error

    async def _send(self, messages: Iterable[tuple[datetime, bytes]]) -> None:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(self.address, self.port, ssl=self.context)
        try:
            for at, message in messages:
                writer.write(frame(self.host, at, message))
                async with asyncio.timeout(SECONDS):
                    await writer.drain()
            await _expect_no_reset(reader)
        finally:
            writer.close()
        async with asyncio.timeout(SECONDS):
            await writer.wait_closed()


async def _expect_no_reset(reader: asyncio.StreamReader) -> None:
    """Raise OSError when the other side ends the connection: it may not have read what was written.

    Syslog has no acknowledgement, and a repository sends nothing; so it is only waited for a moment.
    """
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            ended = not await reader.read(1)
    except TimeoutError:
        return
    if ended:
        raise ConnectionResetError("the audit record repository ended the connection")


def frame(host: str, at: datetime, message: bytes) -> bytes:
    """Return a message with its length before it (RFC 5425, 4.3)."""
    head = f"<{_PRIORITY}>1 {at.isoformat(timespec='milliseconds')} {host} esante - IHE+RFC-3881 - "
    whole = head.encode("ascii") + _BOM + message
    return str(len(whole)).encode("ascii") + b" " + whole


def repository_at(url: str, ca_file: str, host: str) -> Repository:
    """Return the repository at an address (`tls://host:port`; `tcp` on this machine). Raises: ValueError."""
    parts = urlsplit(url)
    if not parts.hostname or parts.port is None or parts.scheme not in ("tls", "tcp"):
        raise ValueError(f"ESANTE_NCP_AUDIT_URL is {url!r}; write tls://host:port")
    if parts.scheme == "tcp":
        if not _is_loopback(parts.hostname):
            raise ValueError("ESANTE_NCP_AUDIT_URL: only an address of this machine may go without TLS")
        return Repository(parts.hostname, parts.port, host, None)
    return Repository(parts.hostname, parts.port, host, ssl.create_default_context(cafile=ca_file or None))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
