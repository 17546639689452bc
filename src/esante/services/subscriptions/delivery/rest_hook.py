"""One HTTP POST to an endpoint: nothing is followed, nothing is kept, and of the answer only the status is read.

It comes in two steps, for there is something to do between them: an endpoint that cannot be reached is told of no
event, and so nothing is numbered or journalled for it. Pooling clients do not offer that.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httptools

from esante import __version__
from esante.services.subscriptions.delivery.endpoint_policy import Address, Gate, NotAllowed
from esante.services.subscriptions.model import Endpoint

ANSWER_BYTES = 16 * 1024
"""Of an answer, up to the end of its head."""


class Unreached(Exception):
    """Nothing was sent; `reason` is a key of `REASONS` in `wording`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotTaken(Exception):
    """It was sent, and the endpoint did not answer that it took it; it may have."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = f"{reason} {status}" if status else reason


class Sender:
    """Sends to endpoints that `gate` lets through; `context` says whom TLS trusts (None: as the system does)."""

    def __init__(self, gate: Gate, context: ssl.SSLContext | None = None) -> None:
        self._gate = gate
        self._context = context or ssl.create_default_context()

    @asynccontextmanager
    async def reach(self, endpoint: Endpoint, seconds: float) -> AsyncIterator["Line"]:
        """A connection to an endpoint, which with all that is done on it may take so long. Raises `Unreached`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        try:
            async with asyncio.timeout_at(end):
                reader, writer = await self._connect(endpoint, await self._gate.addresses(endpoint))
        except NotAllowed as error:
            raise Unreached("address") from error
        except TimeoutError as error:
            raise Unreached("timeout") from error
        except ssl.SSLError as error:
            raise Unreached("tls") from error
        except OSError as error:
            raise Unreached("connection") from error
        try:
            yield Line(endpoint, reader, writer, end)
        finally:
            writer.transport.abort()  # a peer that does not say good-bye cannot hold us

    async def _connect(
        self, endpoint: Endpoint, addresses: Sequence[Address]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The first address that takes a connection; TLS is spoken with the name, not the address."""
        tls = {"ssl": self._context, "server_hostname": endpoint.host} if endpoint.scheme == "https" else {}
        for number, address in enumerate(addresses, 1):
            try:
                return await asyncio.open_connection(str(address), endpoint.port, **tls)  # type: ignore[arg-type]
            except ssl.SSLError:
                raise
            except OSError:
                if number == len(addresses):
                    raise
        raise OSError("no address")


class Line:
    """A connection on which one request can be sent."""

    def __init__(
        self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: float
    ) -> None:
        self._endpoint, self._reader, self._writer, self._end = endpoint, reader, writer, end

    async def post(self, body: bytes, content_type: str, headers: Sequence[tuple[str, str]]) -> None:
        """Send it; raises `NotTaken` unless it is answered with 2xx in time."""
        try:
            async with asyncio.timeout_at(self._end):
                self._writer.write(_head(self._endpoint, len(body), content_type, headers) + body)
                await self._writer.drain()
                status = await self._status()
        except TimeoutError as error:
            raise NotTaken("timeout") from error
        except (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise NotTaken("answer") from error
        if not 200 <= status < 300:
            raise NotTaken("status", status)

    async def _status(self) -> int:
        """The status of the answer, once its head is whole; those that only say "go on" are passed over."""
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        answer.parser = parser
        left = ANSWER_BYTES
        while not answer.status:
            data = await self._reader.read(min(left, 4_096))
            if not data:
                raise NotTaken("answer")
            left -= len(data)
            parser.feed_data(data)
        return answer.status


class _Answer:
    """What the parser calls; `status` is 0 until the head of a final answer is whole."""

    status = 0
    parser: httptools.HttpResponseParser

    def on_headers_complete(self) -> None:
        """The head of an answer is whole."""
        code = self.parser.get_status_code()
        if code >= 200 and not self.status:
            self.status = code


def _head(endpoint: Endpoint, length: int, content_type: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head of the request: names and values were checked when they came in."""
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
