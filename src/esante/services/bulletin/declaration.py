"""Declaration of the bulletin."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute

from esante.contract import DemoStep, NavigationItem, Platform, Service, Task
from esante.core import clock
from esante.core.disclosure import StatisticsKey
from esante.core.open_data import portal_target
from esante.core.web import N_, P_
from esante.identity.access import Access
from esante.services.bulletin.cli import bulletin
from esante.services.bulletin.compilation.service_metrics import record_service_metrics
from esante.services.bulletin.declared_data import register_packages
from esante.services.bulletin.demo import load_issues
from esante.services.bulletin.dissemination.publisher import PortalPublisher
from esante.services.bulletin.model import BulletinRefused
from esante.services.bulletin.routes import page_routes
from esante.services.bulletin.service import Bulletin

log = logging.getLogger(__name__)


def _build(platform: Platform) -> Iterable[object]:
    register_packages(service.package for service in platform.services)
    settings = platform.settings
    key = platform[StatisticsKey]
    yield Bulletin.open(platform.db, platform.objects, platform.journal, key, settings.data / "bulletin")
    if target := portal_target(settings):
        yield PortalPublisher(platform.db, target, settings.base_url, _files(platform))


def _files(platform: Platform) -> Path:
    return platform.settings.data / "bulletin" / "files"


def _routes(platform: Platform) -> list[BaseRoute]:
    settings, target = platform.settings, portal_target(platform.settings)
    return [
        *page_routes(
            platform.db,
            platform[Bulletin],
            platform[Access],
            settings.base_url,
            _files(platform),
            portal_url=target.url if target else "",
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
