"""Declaration of the bulletin."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute

from esante.contract import DemoStep, NavigationItem, Platform, Service, Task
from esante.core import clock
from esante.core.disclosure import StatisticsKey
from esante.core.web import N_, P_
from esante.identity.access import Access
from esante.services.bulletin.cli import bulletin
from esante.services.bulletin.compilation.service_metrics import record_service_metrics
from esante.services.bulletin.declared_data import register_packages
from esante.services.bulletin.demo import load_issues
from esante.services.bulletin.dissemination.publisher import PortalPublisher
from esante.services.bulletin.dissemination.udata_client import PortalTarget
from esante.services.bulletin.model import BulletinRefused
from esante.services.bulletin.routes import page_routes
from esante.services.bulletin.service import Bulletin
from esante.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BulletinSettings:
    """The national open data portal (udata) to which released figures are published; `portal_url` empty: none.

    `portal_key` is the API key of a member of `portal_organization` (its id on the portal).
    """

    portal_url: str = ""
    portal_key: str = field(default="", repr=False)
    portal_organization: str = ""


def _build(platform: Platform) -> Iterable[object]:
    register_packages(service.package for service in platform.services)
    settings = platform.settings
    key = platform[StatisticsKey]
    yield Bulletin.open(platform.db, platform.objects, platform.journal, key, settings.data / "bulletin")
    if _portal_url(settings):
        portal = settings.of(BulletinSettings)
        target = PortalTarget(portal.portal_url, portal.portal_key, portal.portal_organization)
        yield PortalPublisher(platform.db, target, settings.base_url, _files(platform))


def _portal_url(settings: Settings) -> str:
    """Return the address of the national portal; empty without one, and in a demonstration."""
    return "" if settings.demo else settings.of(BulletinSettings).portal_url


def _files(platform: Platform) -> Path:
    return platform.settings.data / "bulletin" / "files"


def _routes(platform: Platform) -> list[BaseRoute]:
    settings = platform.settings
    return [
        *page_routes(
            platform.db,
            platform[Bulletin],
            platform[Access],
            settings.base_url,
            _files(platform),
            portal_url=_portal_url(settings),
            synthetic=settings.demo,
        )
    ]


def _tasks(platform: Platform) -> list[Task]:
    publisher = platform.get(PortalPublisher)
    return [
        Task(name="measures", run=lambda: record_service_metrics(platform.journal, platform.meter)),
        Task(name="release", run=lambda: _release_due(platform[Bulletin]), every=timedelta(seconds=30)),
        *([Task(name="open data portal", run=publisher.run)] if publisher else []),
    ]


async def _release_due(bulletin: Bulletin) -> None:
    """Release the approved issues whose embargo has ended."""
    try:
        await bulletin.release_due(clock.now())
    except BulletinRefused:
        log.info("another process is releasing the bulletin; nothing is left to do")


SERVICE = Service(
    package="esante.services.bulletin",
    settings=BulletinSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(role="everyone", url="/bulletin", label=N_("Statistics"), order=60),
        NavigationItem(
            role="operator",
            url="/operator/bulletin",
            label=P_("menu", "Statistical bulletin"),
            icon="document",
            order=30,
        ),
    ],
    commands=[bulletin],
    demo=[DemoStep(name="bulletin", load=load_issues, background=True)],
)
