"""A load generator with as little Python per request as possible, since it shares the machine with the server."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from bench.processor_time import processor_seconds

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(slots=True)
class LoadResult:
    """The result of a run: responses by status, and response times in seconds."""

    seconds: float
    statuses: dict[int, int]
    times: list[float]
    cores: dict[str, float] = field(default_factory=dict)
    """Seconds of processor time by part (see `processor_seconds`)."""

    @property
    def rate(self) -> float:
        """Responses per second."""
        return len(self.times) / self.seconds

    def percentile(self, part: float) -> float:
        """Return the response time in milliseconds that `part` of the responses did not exceed."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1_000 if ordered else 0.0


def build_request(
    method: str, url: str, token: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> bytes:
    """Return the bytes of a request on a persistent connection."""
    parts = urlsplit(url)
    lines = [
        f"{method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Authorization: Bearer {token}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def generate_load(
    base: str, make: Callable[[int], bytes], *, clients: int, seconds: float, max_requests: int = 1 << 60
) -> LoadResult:
    """Send the requests `make(i)`, with i counting up, over `clients` connections.

    Stops after `seconds` or `max_requests` requests.
    """
    parts = urlsplit(base)
    loop = asyncio.get_running_loop()
    before, began = processor_seconds(), time.perf_counter()
    run = _Run(make, began + seconds, max_requests, LoadResult(0, {}, []))
    connections = [
        (await loop.create_connection(lambda: _Client(run), parts.hostname, parts.port))[1] for _ in range(clients)
    ]
    await asyncio.gather(*(connection.done for connection in connections))
    run.result.seconds = time.perf_counter() - began
    run.result.cores = {part: seconds - before[part] for part, seconds in processor_seconds().items()}
    return run.result


@dataclass(slots=True)
class _Run:
    """The state shared by the connections of a run."""

    make: Callable[[int], bytes]
    end: float
    max_requests: int
    result: LoadResult
    sent: int = 0


class _Client(asyncio.Protocol):
    """A connection that sends one request after the other; fails when the server closes it during a response."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._missing = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed a connection that was waiting"))

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            at = self._head.find(b"\r\n\r\n")
            if at < 0:
                return
            length = _LENGTH.search(self._head, 0, at + 2)
            self._missing = (int(length[1]) if length else 0) - (len(self._head) - at - 4)
        if self._missing == 0:
            self._record_response()

    def _record_response(self) -> None:
        now = time.perf_counter()
        result, status = self._run.result, int(self._head[9:12])
        result.times.append(now - self._began)
        result.statuses[status] = result.statuses.get(status, 0) + 1
        if now < self._run.end and self._run.sent < self._run.max_requests:
            self._next()
        else:
            self.done.set_result(None)
            self._transport.close()

    def _next(self) -> None:
        self._head = b""
        data = self._run.make(self._run.sent)
        self._run.sent += 1
        self._began = time.perf_counter()
        self._transport.write(data)
