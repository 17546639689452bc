"""Puts the rooms together: the platform's services, and the web application over them.

The way of one request: `SecurityHeaders`, `Cors` and `Negotiation` -> the room's route (`api.py` or `pages.py`) ->
`access` says who asks -> the room's service decides, does and journals it in one transaction -> the route encodes the
answer.
Readers of the journal (notices, subscriptions), the sealer, the work on exports and the deliveries run beside it in
every worker.
"""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from esante import __version__, portal
from esante.core import fhir
from esante.core.fhir.rest import (
    FORMATS,
    ContentNegotiation,
    fhir_response,
    supported_profiles,
    validate_capability,
    validate_routes,
)
from esante.core.journal import Consumer, Journal, run_consumers
from esante.core.storage import Database, Objects, Unavailable, apply_migrations, migrations_in, pending_migrations
from esante.core.storage.embedded import start, stop
from esante.core.web import HANDLERS, Cors, SecurityHeaders, grouped
from esante.identity import access, directory
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.rooms import ROOMS
from esante.services import bulletin, export, notices, record, subscriptions
from esante.services.bulletin import Bulletin, Meter, Metered, Pusher, Refused, Target, observe
from esante.services.export import Exports
from esante.services.notices import Notices
from esante.services.record import Record
from esante.services.subscriptions import Subscriptions
from esante.settings import Settings

log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.0/8 ::1/128"
"""In the demo software on the same machine can be told."""
_GARBAGE = 20_000
"""New objects after which Python looks for circles among them. Requests leave hardly any, but with its own 700 all
that a Bundle is taken apart into is gone through again and again."""
BUILT = "2026-11-23"
"""The date of the capability statement: when the faces last changed."""


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
    exports: Exports
    subscriptions: Subscriptions
    bulletin: Bulletin

    @property
    def readers(self) -> Sequence[Consumer]:
        """Everything that follows the journal."""
        return [*self.access.readers(), self.notices.reader, self.subscriptions.reader]

    @property
    def pusher(self) -> Pusher | None:
        """What brings released figures to the national portal; None where none is named, and in the demo."""
        about = self.settings
        if not about.portal_url or about.demo:
            return None
        target = Target(about.portal_url, about.portal_key, about.portal_organization)
        return Pusher(self.db, target, about.base_url, about.data / "bulletin" / "files")


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[tuple[Database, str]]:
    """The database as it is, and its address: the embedded one started, or the external one reached.

    Raises `Unavailable` or `EmbeddedError`.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    dsn = settings.database_url or (await asyncio.to_thread(start, settings.data)).dsn
    try:
        db = await Database.open(
            dsn,
            pool_size=settings.pool_size,
            queue_bound=settings.queue_bound,
            group_commit=settings.group_commit,
        )
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
    identity_key = Path(settings.identity_key or settings.data / "keys" / "identity.pem")
    control = Access(db, journal, people, base_url=settings.base_url, identity_key=identity_key)
    documents = Record(db, objects, journal, people, control)
    copies = Exports(db, objects, journal, people, control, documents, settings.base_url)
    told = Subscriptions(
        db,
        journal,
        control,
        documents,
        base_url=f"{settings.base_url}/fhir",
        networks=subscriptions.networks(settings.endpoint_networks or (LOOPBACK if settings.demo else "")),
    )
    figures = Bulletin.open(db, objects, journal, key.with_name("bulletin.key"), settings.data / "bulletin")
    notes = Notices(db, journal)
    return Platform(settings, dsn, db, objects, journal, people, control, documents, notes, copies, told, figures)


def create_app(settings: Settings) -> Starlette:
    """The web application; the platform is opened when it starts and closed when it stops."""

    meter = Meter()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_platform(settings) as platform:
            await asyncio.to_thread(
                fhir.passes_fast_check, b"{}"
            )  # builds the FHIR types now, not at the first deposit
            await asyncio.to_thread(platform.access.identity.keys)  # makes or reads the key now
            gc.collect()
            gc.freeze()  # what is here now stays: no later collection has to walk through it
            gc.set_threshold(_GARBAGE)
            app.state.sessions = platform.access.sessions
            app.state.knows_origin = platform.access.clients.knows_origin
            app.state.demo = settings.demo
            if settings.demo:
                await _register_demo_apps(platform)
            app.router.routes.extend(grouped(_routes(platform)))
            tasks = [asyncio.create_task(work) for work in _background(platform, meter)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    app = Starlette(
        lifespan=lifespan,
        middleware=[
            Middleware(Metered, meter=meter),
            Middleware(SecurityHeaders),
            Middleware(Cors),
            Middleware(ContentNegotiation),
        ],
        exception_handlers=HANDLERS,
    )
    app.state.secure = settings.base_url.startswith("https:")
    app.router.redirect_slashes = False  # such a redirect would go to whatever host the request names
    return app


def app_from_environ() -> Starlette:
    """The application for a worker process: all settings from the environment."""
    return create_app(Settings.from_environ())


def _routes(platform: Platform) -> list[BaseRoute]:
    """Every room's routes; FHIR faces under /fhir."""
    p, base = platform, f"{platform.settings.base_url}/fhir"
    static = Path(__file__).parent
    resources = _capability_statement(base)["rest"][0]["resource"]

    async def health(request: Request) -> Response:
        """200 when the database answers."""
        await p.db.fetchval("SELECT 1")
        return JSONResponse({"status": "ready", "version": __version__})

    async def metadata(request: Request) -> Response:
        return fhir_response(_capability_statement(base))

    return [
        Route("/health", health),
        Route("/fhir/metadata", metadata),
        *export.api_routes(p.exports, p.access, base),
        *validate_routes(p.access.requester),
        *access.api_routes(p.access, p.journal, p.directory, p.settings.base_url, resources),
        *directory.api_routes(p.directory, p.access.looker_up, base),
        *record.api_routes(p.record, p.directory, p.access, base),
        *access.page_routes(p.access, p.journal, p.directory, {key: c.label for key, c in record.CATEGORIES.items()}),
        *record.page_routes(p.record, p.access, p.directory),
        *notices.page_routes(p.notices, p.access),
        *export.page_routes(p.exports, export.Takeout(p.db, p.record.extracts, p.exports), p.access),
        *subscriptions.api_routes(p.subscriptions, p.access),
        *subscriptions.page_routes(p.subscriptions, p.access),
        *bulletin.page_routes(
            p.db,
            p.bulletin,
            p.access,
            p.settings.base_url,
            p.settings.data / "bulletin" / "files",
            synthetic=p.settings.demo,
        ),
        *portal.routes(p.access, p.notices, p.journal, **_demo_people(p)),
        *_demo_pages(p),
        Mount("/static/vendor", StaticFiles(directory=static / "core" / "web" / "static" / "vendor", check_dir=False)),
        Mount("/static", StaticFiles(directory=static / "portal" / "static")),
    ]


def _demo_people(platform: Platform) -> dict[str, Any]:
    """In the demo people sign in by choosing who they are; otherwise nobody can that way."""
    if not platform.settings.demo:
        return {}
    from esante import demo

    return {"personas": partial(demo.everyone, platform), "become": partial(demo.become, platform)}


async def _register_demo_apps(platform: Platform) -> None:
    """At the address at which the demo is served this time."""
    from esante import demo

    await demo.register_apps(platform)


def _demo_pages(platform: Platform) -> list[BaseRoute]:
    if not platform.settings.demo:
        return []
    from esante import demo

    return demo.page_routes(platform)


def _background(platform: Platform, meter: Meter) -> Sequence[Coroutine[Any, Any, None]]:
    """What runs beside the requests in every worker; each does its work in one process at a time."""
    return [
        platform.journal.sealer.run(),
        run_consumers(platform.db, platform.readers),
        platform.exports.worker.run(),
        platform.subscriptions.deliveries.run(),
        _hourly(platform),
        observe(platform.journal, meter),
        _release_in_time(platform),
        *([platform.pusher.run()] if platform.pusher else []),
    ]


async def _hourly(platform: Platform) -> None:
    """Open the records whose time to object is over, and tidy up."""
    while True:
        try:
            await platform.access.lifecycle.open_due(datetime.now(UTC))
            await platform.access.tidy()
            await platform.subscriptions.tidy()
        except Unavailable:
            log.warning("the hourly work waits for the database")
        except Exception:
            log.exception("the hourly work failed; it is tried again")
        await asyncio.sleep(3_600)


async def _release_in_time(platform: Platform) -> None:
    """Publish what is approved in the minute in which its embargo ends."""
    while True:
        try:
            await platform.bulletin.release_due(datetime.now(UTC))
        except Unavailable:
            log.warning("the release waits for the database")
        except Refused:
            log.info("another process releases at this moment")
        except Exception:
            log.exception("a release failed; it is tried again")
        await asyncio.sleep(30)


def _capability_statement(base: str) -> dict[str, Any]:
    """What the FHIR faces can do (EU Health Data API: Document Access Provider with Submission Option)."""
    told = [*access.capabilities(), *directory.capabilities(), *record.capabilities(), *export.capabilities()]
    told.append(subscriptions.capability())
    resources = {resource["type"]: resource for resource in told}  # the record's Encounter knows stays, too
    for type_, operations in (*record.OPERATIONS.items(), *export.OPERATIONS.items()):
        named = [{"name": name, "definition": address} for name, address in operations.items()]
        resources[type_] = {**resources[type_], "operation": [*resources[type_].get("operation", ()), *named]}
    resources["Patient"]["documentation"] = record.OF_PATIENTS
    for type_, told_of in resources.items():  # every type can be checked
        checked = {"supportedProfile": known} if (known := supported_profiles(type_)) else {}
        resources[type_] = {**checked, **told_of, "operation": [*told_of.get("operation", ()), validate_capability()]}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": BUILT,
        "kind": "instance",
        "instantiates": [
            "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",
            subscriptions.INSTANTIATES,
        ],
        "fhirVersion": "4.0.1",
        "format": [*FORMATS],
        "patchFormat": [record.PATCH_FORMAT],
        "software": {"name": "esante", "version": __version__},
        "implementation": {"description": "The shared care record of esante", "url": base},
        "rest": [
            {
                "mode": "server",
                "security": access.security(base.removesuffix("/fhir")),
                "resource": sorted(resources.values(), key=itemgetter("type")),
                "interaction": [{"code": "batch"}, {"code": "transaction"}],
                "operation": [validate_capability(), export.SYSTEM_OPERATION],
                "compartment": ["http://hl7.org/fhir/CompartmentDefinition/patient"],
            }
        ],
    }
