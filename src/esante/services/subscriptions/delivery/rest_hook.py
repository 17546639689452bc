"""HTTP client for rest-hook endpoints: one POST a connection, without redirects; only the status is read.

Connecting and sending are separate steps: events are numbered and journalled between them, so that nothing is written
for an endpoint that cannot be reached. Pooling HTTP clients do not offer that.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httptools

from esante import __version__
from esante.core.outbound import AddressNotAllowed, AddressPolicy, IPAddress
from esante.services.subscriptions.model import Endpoint

MAX_RESPONSE_HEAD = 16 * 1024
"""The most bytes that are read of a response, up to the end of its head."""


class EndpointUnreachable(Exception):
    """Nothing was sent; `reason` is a key of `failure_reasons.DELIVERY_FAILURES`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotificationNotAccepted(Exception):
    """The notification was sent, but not acknowledged with 2xx; the endpoint may have received it.

    `reason`: a key of `failure_reasons.DELIVERY_FAILURES`, and after "status" the HTTP status.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = f"{reason} {status}" if status else reason


class RestHookClient:
    """Connects to endpoints that `policy` allows; `context` has the trusted certificates (None: the system's)."""

    def __init__(self, policy: AddressPolicy, context: ssl.SSLContext | None = None) -> None:
        self._policy = policy
        self._context = context or ssl.create_default_context()

    @asynccontextmanager
    async def connect(self, endpoint: Endpoint, seconds: float) -> AsyncIterator["EndpointConnection"]:
        """Connect to an endpoint; `seconds` is the time for the connection and all that is done with it.

        Raises: `EndpointUnreachable`.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        try:
            async with asyncio.timeout_at(end):
                reader, writer = await self._open(
                    endpoint, await self._policy.resolve(endpoint.scheme, endpoint.host, endpoint.port)
                )
        except AddressNotAllowed as error:
            raise EndpointUnreachable("address") from error
        except TimeoutError as error:
            raise EndpointUnreachable("timeout") from error
        except ssl.SSLError as error:
            raise EndpointUnreachable("tls") from error
        except OSError as error:
            raise EndpointUnreachable("connection") from error
        try:
            yield EndpointConnection(endpoint, reader, writer, end)
        finally:
            writer.transport.abort()  # no TLS close handshake: a peer that does not answer it would block this task

    async def _open(
        self, endpoint: Endpoint, addresses: Sequence[IPAddress]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address that accepts; TLS verifies the host name, not the address."""
        tls = {"ssl": self._context, "server_hostname": endpoint.host} if endpoint.scheme == "https" else {}
        for number, address in enumerate(addresses, 1):
            try:
                return await asyncio.open_connection(str(address), endpoint.port, **tls)  # type: ignore[arg-type]
            except ssl.SSLError:
                raise
            except OSError:
                if number == len(addresses):
                    raise
        raise OSError("the endpoint has no address to connect to")


class EndpointConnection:
    """A connection on which one request can be sent."""

    def __init__(
        self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: float
    ) -> None:
        self._endpoint, self._reader, self._writer, self._end = endpoint, reader, writer, end

    async def post(self, body: bytes, content_type: str, headers: Sequence[tuple[str, str]]) -> None:
        """Send a POST request. Raises: `NotificationNotAccepted` unless it is answered with 2xx in time."""
        try:
            async with asyncio.timeout_at(self._end):
                self._writer.write(_head(self._endpoint, len(body), content_type, headers) + body)
                await self._writer.drain()
                status = await self._read_status()
        except TimeoutError as error:
            raise NotificationNotAccepted("timeout") from error
        except (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise NotificationNotAccepted("answer") from error
        if not 200 <= status < 300:
            raise NotificationNotAccepted("status", status)

    async def _read_status(self) -> int:
        """Return the status of the response once its head is complete; informational (1xx) responses are skipped."""
        response = _Response()
        parser = httptools.HttpResponseParser(response)
        response.parser = parser
        left = MAX_RESPONSE_HEAD
        while not response.status:
            data = await self._reader.read(min(left, 4_096))
            if not data:
                raise NotificationNotAccepted("answer")
            left -= len(data)
            parser.feed_data(data)
        return response.status


class _Response:
    """The callbacks of the parser; `status` is 0 until the head of a final response is complete."""

    status = 0
    parser: httptools.HttpResponseParser

    def on_headers_complete(self) -> None:
        """Take the status (called by the parser at the end of a head)."""
        code = self.parser.get_status_code()
        if code >= 200 and not self.status:
            self.status = code


def _head(endpoint: Endpoint, length: int, content_type: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the head of the request; header names and values were validated when the Subscription was parsed."""
    fields: Mapping[str, str] = {
        "Host": endpoint.origin.partition("//")[2],
        "User-Agent": f"esante/{__version__}",
        "Accept": "application/fhir+json",
        "Content-Type": content_type,
        "Content-Length": str(length),
        "Connection": "close",
    }
    lines = [f"POST {endpoint.target} HTTP/1.1", *(f"{name}: {value}" for name, value in [*fields.items(), *headers])]
    return "\r\n".join([*lines, "", ""]).encode("ascii")
