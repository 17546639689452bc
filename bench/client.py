"""A load generator: as little Python per request as possible, since it shares the machine with the server."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(slots=True)
class Result:
    """What a run gave: answers by status, and how long each took in seconds."""

    seconds: float
    statuses: dict[int, int]
    times: list[float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.times) / self.seconds

    def percentile(self, part: float) -> float:
        """The time in milliseconds within which `part` of the answers came."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1_000 if ordered else 0.0


def request(method: str, url: str, token: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a request that keeps its connection."""
    parts = urlsplit(url)
    lines = [
        f"{method} {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Authorization: Bearer {token}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def load(base: str, make: Callable[[int], bytes], *, clients: int, seconds: float) -> Result:
    """Send the requests `make(i)`, i counting up, over `clients` connections for `seconds`."""
    parts = urlsplit(base)
    result = Result(0, {}, [])
    counter = iter(range(1 << 60))
    end = time.perf_counter() + seconds
    began = time.perf_counter()

    async def one() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while time.perf_counter() < end:
            data = make(next(counter))
            sent = time.perf_counter()
            writer.write(data)
            status = await answer(reader)
            result.times.append(time.perf_counter() - sent)
            result.statuses[status] = result.statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    result.seconds = time.perf_counter() - began
    return result


async def answer(reader: asyncio.StreamReader) -> int:
    """Read one answer; returns its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at >= 0:
        length = int(lower[at + 15 : lower.index(b"\r\n", at)])
        if length:
            await reader.readexactly(length)
    return status
