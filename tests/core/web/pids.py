"""An application that tells the process that answers; the first process takes a second to start, the others two."""

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
    """The application; the folder for its mark is named by the environment."""

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
