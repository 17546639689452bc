"""A twin of the platform's FHIR API on an address of its own, which a change makes faulty until it is mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.broken_twins import Answer, Change

_KEPT_OUT = ("content-length", "content-encoding", "transfer-encoding", "connection", "date", "server")


class ServedTwin:
    """Passes requests on to a platform; `change` applies while it is `broken`. `base`: its own address."""

    def __init__(self, platform: str, change: Change) -> None:
        self._platform, self._change = platform, change
        self._http = httpx.AsyncClient(timeout=30, trust_env=False)
        self.broken, self.base = True, ""

    async def forward(self, request: Request) -> Response:
        """Return the platform's answer, changed, with addresses of the twin."""
        headers = {k: v for k, v in request.headers.items() if k not in ("host", "content-length", "accept-encoding")}
        url = f"{self._platform}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        body = (await request.body()).replace(self.base.encode(), self._platform.encode())
        sent = self._http.build_request(request.method, url, headers=headers, content=body)
        real = await self._http.send(sent)
        kept = {k.lower(): v for k, v in real.headers.items() if k.lower() not in _KEPT_OUT}
        answer = Answer(real.status_code, kept, real.content)
        if self.broken:
            answer = self._change(sent, answer) or answer
        content = answer.body.replace(self._platform.encode(), self.base.encode())
        own = {k: v.replace(self._platform, self.base) for k, v in answer.headers.items()}
        return Response(content, answer.status, own)

    async def close(self) -> None:
        """Close the connections to the platform."""
        await self._http.aclose()


@asynccontextmanager
async def serve_twin(platform: str, change: Change) -> AsyncIterator[ServedTwin]:
    """Serve a twin of a platform, whose address is given, on a free port of this machine."""
    twin = ServedTwin(platform, change)
    routes = [Route("/{path:path}", twin.forward, methods=["GET", "POST", "PUT", "DELETE"])]
    config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    twin.base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield twin
    finally:
        server.should_exit = True
        await serving
        await twin.close()
