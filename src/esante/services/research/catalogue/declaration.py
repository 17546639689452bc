"""The catalogue of datasets."""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.directory import Directory
from esante.services.record import Record
from esante.services.research.catalogue.service import Catalogue
from esante.services.research.opt_out.service import OptOuts
from esante.services.research.pages import catalogue_pages


def _build(platform: Platform) -> Iterable[object]:
    yield Catalogue(platform.db, platform.journal, platform[Record], platform[Directory], platform[OptOuts])


def _routes(platform: Platform) -> list[BaseRoute]:
    return catalogue_pages.routes(platform[Catalogue], platform.settings.base_url)


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="figures of the datasets", run=platform[Catalogue].run)]


CATALOGUE = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(role="researcher", url="/research", label=N_("Catalogue of datasets"), icon="search", order=5),
        NavigationItem(role="everyone", url="/research", label=N_("Research with health data"), order=27),
    ],
)
