"""What an outsider could do to the HTTP face: headers, redirects, faults, slow and huge requests, cookies."""

import asyncio
import logging

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from esante.app import create_app
from esante.core.web import HANDLERS, SecurityHeaders, connection_limits, read_form, redirect, set_cookie
from esante.core.web.connection_limits import BoundedConnection
from esante.settings import Settings


async def personal(request: Request) -> Response:
    return JSONResponse({"family": "Weber"})


async def failing(request: Request) -> Response:
    raise LookupError("Weber, born 1980-05-17")


async def entered(request: Request) -> Response:
    response = redirect("/")
    set_cookie(response, request, "token")
    return response


async def formed(request: Request) -> Response:
    form = await read_form(request)
    return JSONResponse(sorted(form))


async def echoed(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


@pytest.fixture
def app(tmp_path):
    (tmp_path / "app.css").write_text("p {}", encoding="utf-8")
    found = Starlette(
        routes=[
            Route("/fhir/Patient", personal),
            Route("/fhir/failing", failing),
            Route("/enter", entered),
            Route("/echo", echoed, methods=["POST"]),
            Route("/form", formed, methods=["POST"]),
            Mount("/static", StaticFiles(directory=tmp_path)),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers=HANDLERS,
    )
    found.state.secure = False
    return found


@pytest.fixture
async def client(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://esante.test") as client:
        yield client


@pytest.mark.parametrize("path", ["/fhir/Patient", "/fhir/failing", "/enter", "/fhir/nothing"])
async def test_no_answer_may_be_kept_by_a_cache(client, path):
    assert (await client.get(path)).headers["cache-control"] == "no-store"


async def test_what_is_nobody_s_may_be_kept(client):
    assert "cache-control" not in (await client.get("/static/app.css")).headers


async def test_a_fault_is_answered_with_every_header_and_told_once(client, caplog):
    with caplog.at_level(logging.ERROR):
        answer = await client.get("/fhir/failing")
    assert answer.status_code == 500
    assert "Weber" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert len(caplog.records) == 1


async def test_a_cookie_is_for_https_alone_where_the_platform_s_address_says_so(app, client):
    assert "secure" not in (await client.get("/enter")).headers["set-cookie"].lower()
    app.state.secure = True
    answer = await client.get("/enter")
    assert "; secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_a_form_without_a_file_is_small_before_anybody_is_known(client):
    answer = await client.post("/form", data={"note": "a" * 2_000_000})
    assert answer.status_code == 413


async def test_the_platform_never_redirects_to_where_the_request_says_it_is(tmp_path):
    app = create_app(Settings(data=tmp_path))
    app.router.routes.append(Route("/signin", personal))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://evil.example") as client:
        answer = await client.get("/signin/")
    assert answer.status_code == 404
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize(("url", "secure"), [("https://esante.test", True), ("http://esante.test", False)])
def test_the_application_knows_whether_it_is_reached_by_https(tmp_path, url, secure):
    assert create_app(Settings(data=tmp_path, public_url=url)).state.secure is secure


@pytest.fixture
async def served(app):
    """The application behind real connections; gives a function that opens one."""
    config = uvicorn.Config(app, port=0, http=BoundedConnection, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield lambda: asyncio.open_connection("127.0.0.1", port)
    server.should_exit = True
    await serving


async def all_of(reader) -> bytes:
    async with asyncio.timeout(30):
        return await reader.read()


async def test_headers_without_end_are_refused(served):
    reader, writer = await served()
    writer.write(b"GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n")
    answered = asyncio.create_task(all_of(reader))
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
        ("HEAD_SECONDS", b"GET /fhir/Patient HTTP/1.1\r\nHost: x\r\n"),
        ("BODY_SECONDS", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"),
    ],
)
async def test_who_does_not_go_on_is_let_go(served, monkeypatch, limit, sent):
    monkeypatch.setattr(connection_limits, limit, 0.2)
    reader, writer = await served()
    writer.write(sent)
    assert await all_of(reader) == b""
    writer.close()


async def test_a_connection_serves_many_requests(served):
    reader, writer = await served()
    for size in (0, 3, 200_000):
        head = f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode() + b"a" * size)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert int(await reader.readexactly(len(str(size)))) == size
    writer.close()
