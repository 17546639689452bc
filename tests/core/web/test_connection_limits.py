"""Real connections: slow and huge requests end, others are served."""

import asyncio

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.web.limits import connection_limits
from esante.core.web.limits.connection_limits import BoundedConnection


async def body_size(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


@pytest.fixture
async def connect():
    """A function that opens a connection to an application."""
    app = Starlette(routes=[Route("/size", body_size, methods=["GET", "POST"])])
    config = uvicorn.Config(app, port=0, http=BoundedConnection, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield lambda: asyncio.open_connection("127.0.0.1", port)
    server.should_exit = True
    await serving


async def read_to_end(reader) -> bytes:
    async with asyncio.timeout(30):
        return await reader.read()


async def test_endless_headers_are_refused(connect):
    reader, writer = await connect()
    writer.write(b"GET /size HTTP/1.1\r\nHost: x\r\n")
    answered = asyncio.create_task(read_to_end(reader))
    line = b"X-More: " + b"a" * 8_000 + b"\r\n"
    for _ in range(10_000):
        if answered.done():
            break
        writer.write(line)
        try:
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    answer = await asyncio.gather(answered, return_exceptions=True)
    assert answered.done()
    assert not isinstance(answer[0], bytes) or answer[0].startswith(b"HTTP/1.1 400") or not answer[0]
    writer.close()


@pytest.mark.parametrize(
    ("limit", "sent"),
    [
        ("HEAD_SECONDS", b""),
        ("HEAD_SECONDS", b"GET /size HTTP/1.1\r\nHost: x\r\n"),
        ("BODY_SECONDS", b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"),
    ],
)
async def test_connection_is_closed_when_a_request_is_not_continued(connect, monkeypatch, limit, sent):
    monkeypatch.setattr(connection_limits, limit, 0.2)
    reader, writer = await connect()
    writer.write(sent)
    assert await read_to_end(reader) == b""
    writer.close()


async def test_connection_serves_many_requests(connect):
    reader, writer = await connect()
    for size in (0, 3, 200_000):
        head = f"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode() + b"a" * size)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert int(await reader.readexactly(len(str(size)))) == size
    writer.close()


async def test_large_body_that_goes_on_coming_may_take_longer_than_a_small_one(connect, monkeypatch):
    monkeypatch.setattr(connection_limits, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(connection_limits, "BODY_RATE", 10_000)
    reader, writer = await connect()
    writer.write(b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n")
    for _ in range(10):
        writer.write(b"a" * 4_000)
        await asyncio.sleep(0.1)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()
