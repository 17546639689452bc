"""A platform that is served in this process, so that a test can move its clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import uvicorn

from esante.app import create_app, open_platform
from esante.contract import Platform
from esante.core import clock
from esante.identity.access import Access, Requester
from esante.identity.access.authn.requesters import principal_of
from esante.settings import Settings
from tests.support.authentications import as_demo
from tests.support.processes import free_port
from tests.support.visitors import Visitor


@asynccontextmanager
async def serve_platform(settings: Settings) -> AsyncIterator[Platform]:
    """Serve a platform, with the work beside the requests, on a free port of this machine."""
    settings = replace(settings, port=free_port())
    async with open_platform(settings, migrate=True):
        pass
    app = create_app(settings)
    config = uvicorn.Config(app, port=settings.port, log_level="critical", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    async with app.router.lifespan_context(app):
        serving = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield app.state.platform
        finally:
            server.should_exit = True
            await serving


async def prepare_months(platform: Platform) -> None:
    """Make the journal ready for entries of the present months."""
    now = clock.now()
    await platform.journal.ensure_months(now - timedelta(days=40), now + timedelta(days=40))


async def sign_in(visitor: Visitor, platform: Platform, holder: Requester) -> None:
    """Let a visitor be signed in as somebody."""
    value = await platform[Access].sessions.create(principal_of(as_demo(holder)))
    await visitor.page.context.add_cookies([{"name": "esante_session", "value": value, "url": visitor.base}])
