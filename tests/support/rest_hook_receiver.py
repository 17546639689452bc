"""Software that receives notifications on this machine, with faults that can be switched on."""

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

RESPONSES = {
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops",
    "302": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000,
    "drop": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing": b"",
    "garbage": b"220 mail.example ESMTP\r\n",
    "flood": b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 10_000,
}
"""Responses by mode. All but `ok`, `interim` and `endless` are faults; another fault, `hang`, never responds."""


@dataclass
class Request:
    """A request as received."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def bundle(self) -> dict[str, Any]:
        """The notification Bundle."""
        return json.loads(self.body)

    @property
    def status(self) -> dict[str, Any]:
        """The parameters of the notification's status by name; those of each notification-event in a list."""
        found: dict[str, Any] = {"notification-event": []}
        for parameter in self.bundle["entry"][0]["resource"]["parameter"]:
            if parameter["name"] == "notification-event":
                found["notification-event"].append({part["name"]: _value(part) for part in parameter["part"]})
            else:
                found[parameter["name"]] = _value(parameter)
        return found

    @property
    def numbers(self) -> list[int]:
        """The numbers of its events."""
        return [int(event["event-number"]) for event in self.status["notification-event"]]

    @property
    def foci(self) -> list[str]:
        """The references of its events."""
        return [event["focus"]["reference"] for event in self.status["notification-event"] if "focus" in event]


def _value(parameter: dict[str, Any]) -> Any:
    return next(value for name, value in parameter.items() if name.startswith("value"))


@dataclass
class Receiver:
    """A receiver: `mode` is a key of `RESPONSES` or "hang"; `requests` are those received."""

    port: int = 0
    mode: str = "ok"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    open_requests: int = 0
    max_open_requests: int = 0

    @property
    def url(self) -> str:
        """The URL of the endpoint, with a secret in its query."""
        return f"http://127.0.0.1:{self.port}/hook?secret=s3cr3t"

    @property
    def events(self) -> list[Request]:
        """The requests with events, in the order of their arrival."""
        return [request for request in self.requests if request.status["type"] == "event-notification"]

    @property
    def event_numbers(self) -> list[int]:
        """The numbers of all events received."""
        return [number for request in self.events for number in request.numbers]

    async def wait_for_requests(self, count: int) -> None:
        """Wait until `count` requests have been received."""
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Receive one request and respond according to the mode."""
        self.connections += 1
        self.open_requests += 1
        self.max_open_requests = max(self.open_requests, self.max_open_requests)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_requests -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        async with self.arrived:
            self.requests.append(Request(first.split()[1], headers, body))
            self.arrived.notify_all()
        if self.mode == "hang":
            await reader.read()
            return
        writer.write(RESPONSES[self.mode])
        await writer.drain()


@asynccontextmanager
async def receiving(mode: str = "ok", context: ssl.SSLContext | None = None):
    """Run a receiver on a free port of the loopback address."""
    receiver = Receiver(mode=mode)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()


FAULTS = sorted({*RESPONSES, "hang"} - {"ok", "interim", "endless"})
"""The modes in which a delivery fails."""


def resolve_names_to(monkeypatch, *answers):
    """Replace name resolution by `answers` (lists of addresses), one after the other; the last one stays."""
    left = list(answers)

    def look_up(host, port):
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr("esante.core.outbound.address_policy.look_up", look_up)
