"""Puts the rooms together: the platform's services, and the web application over them.

The way of one request: `SecurityHeaders` -> the room's route (`api.py` or `pages.py`) -> `access` says who
asks -> the room's service decides, does and journals it in one transaction -> the route encodes the answer.
Readers of the journal (notices) and the sealer run beside it in every worker.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware

from esante.access import Access
from esante.directory import Directory
from esante.journal import Journal, Reader
from esante.notices import Notices
from esante.record import Record
from esante.rooms import ROOMS
from esante.settings import Settings
from esante.storage import Database, Objects, apply_migrations, migrations_in, pending_migrations
from esante.storage.embedded import start, stop
from esante.web import HANDLERS, SecurityHeaders


@dataclass(frozen=True, slots=True)
class Platform:
    """The services of all rooms over one database and one object store."""

    settings: Settings
    dsn: str
    db: Database
    objects: Objects
    journal: Journal
    directory: Directory
    access: Access
    record: Record
    notices: Notices

    @property
    def readers(self) -> Sequence[Reader]:
        """Everything that follows the journal."""
        return [self.notices.reader]


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[tuple[Database, str]]:
    """The database as it is, and its address: the embedded one started, or the external one reached.

    Raises `Unavailable` or `EmbeddedError`.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    dsn = settings.database_url or (await asyncio.to_thread(start, settings.data)).dsn
    try:
        db = await Database.open(dsn, pool_size=settings.pool_size, queue_bound=settings.queue_bound)
        try:
            yield db, dsn
        finally:
            await db.close()
    finally:
        if not settings.database_url:
            await asyncio.to_thread(stop, settings.data)


@contextlib.asynccontextmanager
async def open_platform(settings: Settings, *, migrate: bool | None = None) -> AsyncIterator[Platform]:
    """The platform, ready to work.

    `migrate` None: the embedded database is migrated, an external one must be already (`esante db migrate`);
    raises RuntimeError when it is not, and what `open_database` raises.
    """
    async with open_database(settings) as (db, dsn):
        await _migrate(db, not settings.database_url if migrate is None else migrate)
        platform = _build(settings, dsn, db)
        try:
            yield platform
        finally:
            await platform.record.close()


async def _migrate(db: Database, wanted: bool) -> None:
    migrations = migrations_in(ROOMS)
    if wanted:
        await apply_migrations(db, migrations)
    elif await pending_migrations(db, migrations):
        raise RuntimeError("the database is of an older version; run: esante db migrate")


def _build(settings: Settings, dsn: str, db: Database) -> Platform:
    objects = Objects.open(settings.objects_url, settings.data)
    key = Path(settings.journal_key or settings.data / "keys" / "journal.pem")
    journal = Journal.open(db, objects, key, settings.journal_origin)
    people = Directory(db, journal, settings.matricule_check)
    control = Access(db, journal, people, base_url=settings.base_url)
    documents = Record(db, objects, journal, people, control)
    return Platform(settings, dsn, db, objects, journal, people, control, documents, Notices(db, journal))


def create_app(settings: Settings) -> Starlette:
    """The web application; the platform is opened when it starts and closed when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_platform(settings) as platform:
            app.state.sessions = platform.access.sessions
            app.state.demo = settings.demo
            app.router.routes.extend(_routes(platform))
            tasks = [asyncio.create_task(work) for work in _background(platform)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return Starlette(
        lifespan=lifespan,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers=HANDLERS,  # type: ignore[arg-type]
    )


def app_from_environ() -> Starlette:
    """The application for a worker process: all settings from the environment."""
    return create_app(Settings.from_environ())
