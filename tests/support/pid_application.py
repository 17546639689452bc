"""An application that answers its process id; the first process takes one second to start, the others two."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def app() -> Starlette:
    """Return the application; the variable PIDS_FOLDER names the folder of its marker file."""

    @asynccontextmanager
    async def starting(_: Starlette) -> AsyncIterator[None]:
        try:
            Path(os.environ["PIDS_FOLDER"], "started").touch(exist_ok=False)
        except FileExistsError:
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        yield

    async def pid(_: Request) -> PlainTextResponse:
        return PlainTextResponse(str(os.getpid()))

    return Starlette(routes=[Route("/", pid)], lifespan=starting)
