"""The catalogue of datasets."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.open_data import PortalError, portal_target
from esante.core.web import N_
from esante.identity.directory import Directory
from esante.services.record import Record
from esante.services.research.catalogue.portal_push import CataloguePublisher
from esante.services.research.catalogue.service import Catalogue
from esante.services.research.opt_out.service import OptOuts
from esante.services.research.pages import catalogue_pages

log = logging.getLogger(__name__)
_PUSH = timedelta(hours=1)
"""The time between two pushes; nothing is sent where the portal has everything."""


def _build(platform: Platform) -> Iterable[object]:
    yield Catalogue(platform.db, platform.journal, platform[Record], platform[Directory], platform[OptOuts])
    if target := portal_target(platform.settings):
        yield CataloguePublisher(platform.db, target, platform.settings.base_url)


def _routes(platform: Platform) -> list[BaseRoute]:
    return catalogue_pages.routes(platform[Catalogue], platform.settings.base_url)


def _tasks(platform: Platform) -> list[Task]:
    tasks = [Task(name="figures of the datasets", run=platform[Catalogue].run)]
    if publisher := platform.get(CataloguePublisher):
        tasks.append(Task(name="catalogue on the open data portal", run=partial(_push, publisher), every=_PUSH))
    return tasks


async def _push(publisher: CataloguePublisher) -> None:
    """Push the catalogue; a failure of the portal is logged, and the push repeated."""
    try:
        for done in await publisher.push():
            log.info("national open data portal: %s", done)
    except PortalError as error:
        log.warning("the push of the catalogue to the national open data portal failed and is repeated: %s", error)


CATALOGUE = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(role="researcher", url="/research", label=N_("Catalogue of datasets"), icon="search", order=5),
        NavigationItem(role="everyone", url="/research", label=N_("Research with health data"), order=27),
    ],
)
