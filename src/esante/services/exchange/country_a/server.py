"""The listener of the contact point: mutual TLS, with the routes of country A and no others."""

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette

from esante.contract import Platform
from esante.core.web import HANDLERS
from esante.identity.access import Access
from esante.services.exchange.audit import AuditTrail
from esante.services.exchange.contact_points import ContactPoints
from esante.services.exchange.country_a.assembly import country_a_routes, open_connector
from esante.services.exchange.country_a.connection import PeerConnection
from esante.services.exchange.settings import ExchangeSettings

_REFRESH_SECONDS = 2.0
_COLLECT_AFTER = 20_000
"""Objects; a document makes many more than the default of 700, and no cycles."""


async def serve(platform: Platform, host: str, port: int) -> None:
    """Serve country A of a platform until a signal. Raises: `NotConfigured`."""
    application, context = await open_application(platform)
    gc.collect()
    gc.freeze()  # what exists now stays: no later collection has to walk through it
    gc.set_threshold(_COLLECT_AFTER)
    await server_of(application, context, host, port).serve()


def server_of(application: Starlette, context: ssl.SSLContext, host: str, port: int) -> uvicorn.Server:
    """Return a server whose requests know the certificate of their connection."""
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        http=PeerConnection,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    config.load()
    config.ssl = context
    return uvicorn.Server(config)


async def open_application(platform: Platform) -> tuple[Starlette, ssl.SSLContext]:
    """Return the application of country A, and the context of its connections. Raises: `NotConfigured`."""
    points = platform[ContactPoints]
    connector = open_connector(platform)
    await points.all()
    context = points.server_context()

    @contextlib.asynccontextmanager
    async def follow(application: Starlette) -> AsyncIterator[None]:
        """Keep the context with the certificates that are registered meanwhile."""
        task = asyncio.create_task(_follow(points))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    url = platform.settings.of(ExchangeSettings).ncp_url
    routes = country_a_routes(points, platform[AuditTrail], platform[Access], connector, url)
    return Starlette(routes=routes, exception_handlers=HANDLERS, lifespan=follow), context


async def _follow(points: ContactPoints) -> None:
    while True:
        await asyncio.sleep(_REFRESH_SECONDS)
        await points.all()
