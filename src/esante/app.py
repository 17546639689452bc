"""Assembly of the declared services into the platform, and of the web application over it.

The way of a request: `Metering`, `SecurityHeaders`, `Cors` and `ContentNegotiation` -> the route that a service
declares -> `access` authenticates -> the service decides, acts and journals in one transaction -> the route encodes
the response.
Consumers of the journal and the other declared tasks run beside the requests in every process.
"""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from esante import __version__
from esante.contract import Platform, Service, Task
from esante.core.fhir.rest import ContentNegotiation, fhir_response
from esante.core.journal import Journal, run_consumers
from esante.core.storage import (
    Database,
    Objects,
    PendingMigrations,
    apply_migrations,
    migrations_in,
    open_database,
    pending_migrations,
)
from esante.core.time_zone import use_time_zone
from esante.core.web import HANDLERS, Cors, Metering, SecurityHeaders, group_routes, register_package
from esante.packages import declared_services
from esante.settings import Settings

_COLLECT_AFTER = 20_000
"""New objects after which the garbage collector runs. Requests leave hardly any cycles, and Python's own threshold of
700 has it walk through a parsed Bundle again and again."""


@contextlib.asynccontextmanager
async def open_platform(settings: Settings, *, migrate: bool | None = None) -> AsyncIterator[Platform]:
    """Yield the platform over its database.

    `migrate` None: the embedded database is migrated, an external one must have been (`esante db migrate`).
    Raises: `PendingMigrations` when it was not, and what `open_database` raises; ValueError for an unknown
    time zone.
    """
    use_time_zone(settings.time_zone)
    services = declared_services(settings.services)
    async with database_of(settings) as (db, dsn):
        await _migrate(db, services, not settings.database_url if migrate is None else migrate)
        objects = Objects.open(settings.objects_url, settings.data)
        key = Path(settings.journal_key or settings.data / "keys" / "journal.pem")
        journal = Journal.open(db, objects, key, settings.journal_origin, settings.witnesses)
        platform = Platform(services, settings, dsn, db, objects, journal)
        try:
            yield platform
        finally:
            await platform.close()


def database_of(settings: Settings) -> AbstractAsyncContextManager[tuple[Database, str]]:
    """Open the database that the settings name (see `open_database`)."""
    return open_database(
        settings.database_url,
        settings.data,
        pool_size=settings.pool_size,
        queue_bound=settings.queue_bound,
        group_commit=settings.group_commit,
    )


async def _migrate(db: Database, services: Sequence[Service], wanted: bool) -> None:
    migrations = migrations_in([service.package for service in services])
    if wanted:
        await apply_migrations(db, migrations)
    elif await pending_migrations(db, migrations):
        raise PendingMigrations("the database is of an older version; run: esante db migrate")


def create_app(settings: Settings) -> Starlette:
    """Return the web application; the platform is opened when it starts and closed when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_platform(settings) as platform:
            await platform.admit()
            await mount(platform, app)
            tasks = [asyncio.create_task(task.keep_running()) for task in _tasks(platform)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    middleware = [Middleware(each) for each in (Metering, SecurityHeaders, Cors, ContentNegotiation)]
    app = Starlette(lifespan=lifespan, middleware=middleware, exception_handlers=HANDLERS)
    app.state.secure = settings.base_url.startswith("https:")
    app.router.redirect_slashes = False  # such a redirect would go to whatever host the request names
    return app


def app_from_environ() -> Starlette:
    """Return the application for a worker process: all settings from the environment."""
    return create_app(Settings.from_environ())


async def mount(platform: Platform, app: Starlette) -> None:
    """Start the services and add their routes to an application; the work beside the requests is the caller's."""
    await _start(platform, app)
    app.router.routes.extend(group_routes(_routes(platform)))


async def _start(platform: Platform, app: Starlette) -> None:
    app.state.meter, app.state.platform, app.state.demo = platform.meter, platform, platform.settings.demo
    for service in platform.services:
        register_package(service.package)
        await service.start(platform, app.state)
    gc.collect()
    gc.freeze()  # what exists now stays: no later collection has to walk through it
    gc.set_threshold(_COLLECT_AFTER)


def _routes(platform: Platform) -> list[BaseRoute]:
    statement = platform.capability_statement()

    async def health(request: Request) -> Response:
        """Answer 200 when the database answers."""
        await platform.db.fetchval("SELECT 1")
        return JSONResponse({"status": "ready", "version": __version__})

    async def metadata(request: Request) -> Response:
        return fhir_response(statement)

    own = [Route("/health", health), Route("/fhir/metadata", metadata)]
    return [*own, *(route for service in platform.services for route in service.routes(platform))]


def _tasks(platform: Platform) -> list[Task]:
    services = platform.services
    consumers = [consumer for service in services for consumer in service.consumers(platform)]
    follow = Task(name="consumers", run=lambda: run_consumers(platform.db, consumers))
    return [follow, *(task for service in services for task in service.tasks(platform))]
